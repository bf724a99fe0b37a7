"""`up`: everything until a signal ends it, with one screen of status at the start."""

from dataclasses import replace
from functools import partial

from peergate.console import print_facts, stderr, styled
from peergate.up.configuration import UpConfiguration, settings_from_configuration
from peergate.up.front import UpFront
from runtime.run import run_service


def run_up(configuration: UpConfiguration) -> None:
    """Serve until SIGTERM or SIGINT; returns after the drain. Raises ConfigurationError, before anything listens."""
    settings = settings_from_configuration(configuration)
    factory = partial(UpFront, settings, partial(_show, configuration))
    # One process beside Envoy: its workers are Envoy's threads.
    run_service(replace(configuration, workers=1), factory, (settings.listen,))


def _show(configuration: UpConfiguration, front: UpFront) -> None:
    console = stderr()
    status = front.live.status
    native = f"{front.native_share:.0%} of the rules are decided inside Envoy"
    facts = [
        ("listens", f"https://{front.address} (client certificates of the policy's trust)"),
        ("forwards to", str(configuration.upstream)),
        ("policy", f"{configuration.policy}, generation {status.generation or 'none'}, {status.rules} rules"),
        ("native", native if configuration.native else "off (--no-native)"),
        ("decisions", configuration.decision_log),
        ("operations", f"{configuration.ops}: /readyz, /metrics" if configuration.ops else "off (--ops HOST:PORT)"),
    ]
    if configuration.native:
        facts.insert(4, ("", "Envoy does not see a leaf's key usage, CA flag and key length: docs/native.md"))
    console.print(styled(("peergate up", "bold")))
    print_facts(console, facts, indent=2)
    for problem in status.problems:
        console.print(styled((str(problem), "red")), soft_wrap=True)
