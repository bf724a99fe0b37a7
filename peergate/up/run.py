"""`up`: everything until a signal ends it, with one screen of status at the start."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from peergate.console import print_facts, stderr, styled
from peergate.up.configuration import UpConfiguration, settings_from_configuration
from peergate.up.front import UpFront
from runtime.run import run_service

_NO_POLICY = "which has problems: everybody is refused until they are mended, then it is in force by itself"


def run_up(configuration: UpConfiguration) -> None:
    """Serve until SIGTERM or SIGINT; returns after the drain. Raises ConfigurationError, before anything listens."""
    settings = settings_from_configuration(configuration)
    factory = partial(UpFront, settings, partial(_show, configuration))
    # One process beside Envoy: its workers are Envoy's threads.
    run_service(replace(configuration, workers=1), factory, (settings.listen,))


def _show(configuration: UpConfiguration, front: UpFront) -> None:
    console = stderr()
    status = front.live.status
    rules = "1 rule" if status.rules == 1 else f"{status.rules} rules"
    policy = f"generation {status.generation}, {rules}" if status.is_good else _NO_POLICY
    facts = [
        ("listens", f"https://{front.address} (client certificates of the policy's trust)"),
        ("forwards to", str(configuration.upstream)),
        ("policy", f"{configuration.policy}, {policy}"),
        *(("", str(problem)) for problem in status.problems),
        *_next(configuration),
        *_native(configuration, front),
        ("Envoy's files", f"{front.folder}, envoy.log among them, until the end"),
        ("decisions", "standard output" if configuration.decision_log == "-" else configuration.decision_log),
        ("operations", f"{configuration.ops}: /readyz, /metrics" if configuration.ops else "off (--ops HOST:PORT)"),
    ]
    console.print(styled(("peergate up", "bold")))
    print_facts(console, facts, indent=2)


def _next(configuration: UpConfiguration) -> Iterator[tuple[str, str]]:
    if configuration.shadow_policy is not None:
        yield "next policy", f"{configuration.shadow_policy} (compared, never enforced)"


def _native(configuration: UpConfiguration, front: UpFront) -> Iterator[tuple[str, str]]:
    if not front.native:
        yield "native", "off (--observe)" if configuration.observe else "off (--no-native)"
    elif front.live.status.is_good:
        yield "native", f"{front.native_share:.0%} of the rules are decided inside Envoy"
        yield "", "leaves that your CAs issue as a CA, without digitalSignature or with a short key get in here;"
        yield "", "--no-native refuses them as all else does: docs/native.md, What Envoy cannot see"
