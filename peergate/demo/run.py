"""The demo from its first line to its last."""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from peergate.console import error_line, stdout, styled
from peergate.demo.scene import Outcome, Scene
from peergate.demo.scenes import EnvoyScene, GatewayScene
from peergate.demo.service import ServiceError
from peergate.demo.show import curl_lines, outcome_table, print_failures
from peergate.demo.tour import BROKEN, QUARANTINE, QUARANTINED, STILL_QUARANTINED, TOUR
from peergate.exit_code import ExitCode
from runtime.envoy.binary import envoy_version, find_envoy
from runtime.envoy.errors import EnvoyError
from runtime.errors import ConfigurationError

_BY_TLS = "Who can never be allowed is turned away in the TLS handshake: there is no request yet, and no decision."


def run_demo(*, gateway: bool = False, keep: bool = False, port: int = 0, console: Console | None = None) -> int:
    """Run the demo and return its exit code.

    `gateway`: show the gateway, and no Envoy. `port`: where either listens on 127.0.0.1, 0 = any free one. `keep`:
    leave everything up until Ctrl-C, with lines for curl. 1 = a call did not come to what it should; 78 = there is no
    Envoy, or the port is taken.
    """
    console = console or stdout()
    # Whoever ends the demo with SIGTERM wants the same as Ctrl-C: nothing left running, no key left on disk.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        envoy = None if gateway else find_envoy(os.environ)
        with tempfile.TemporaryDirectory(prefix="peergate-demo-") as folder:
            began = time.monotonic()
            shown = "with the gateway" if envoy is None else f"with Envoy {envoy_version(envoy)}"
            console.print(styled(("peergate demo ", "bold"), shown))
            with _scene(Path(folder), envoy, port) as scene:
                return _play(scene, console, began, keep=keep)
    except (EnvoyError, ConfigurationError) as error:
        error_line(str(error))
        return ExitCode.CONFIGURATION
    except (ServiceError, OSError) as error:
        error_line(f"the demo ended early: {error}")
        return ExitCode.NO
    finally:
        signal.signal(signal.SIGTERM, before)


def _scene(folder: Path, envoy: Path | None, port: int) -> Scene:
    return GatewayScene(folder, port) if envoy is None else EnvoyScene(folder, envoy, port)


def _play(scene: Scene, console: Console, began: float, *, keep: bool) -> int:
    host, port = scene.address
    console.print(
        styled(
            (f"A throw-away PKI, an upstream, {scene.setting} on ", "dim"),
            f"{host}:{port}",
        )
    )
    outcomes = [scene.make(call) for call in TOUR]
    console.print("", outcome_table(outcomes, console.width), "", sep="\n")
    if scene.refuses_by_tls:
        console.print(styled((_BY_TLS, "dim")))
        console.print()
    outcomes += _changed_live(scene, console)
    failures = [outcome for outcome in outcomes if not outcome.is_as_expected]
    print_failures(console, failures)
    if not failures:
        seconds = time.monotonic() - began
        console.print(styled(("All as it should be: ", "bold green"), f"{len(outcomes)} calls in {seconds:.1f} s"))
    if keep:
        _keep(scene, console)
    elif not failures:
        flag = " --gateway" if scene.refuses_by_tls else ""
        console.print(styled((f"Try it yourself: {_program()} demo{flag} --keep", "dim")))
    return ExitCode.NO if failures else ExitCode.FINE


def _changed_live(scene: Scene, console: Console) -> list[Outcome]:
    """A rule is added, then the file is broken, while everything runs; in the end it is as it was."""
    original = scene.policy.read_text(encoding="utf-8")
    before = scene.status()["generation"]
    status, seconds = scene.change_policy(original + QUARANTINE)
    console.print(styled(("The policy changes while everything runs:", "bold")))
    console.print(styled((f"  + {QUARANTINE.strip().removeprefix('- ')}", "green")))
    console.print(styled((f"  generation {before} -> {status['generation']}, in force after {seconds:.1f} s", "dim")))
    quarantined = scene.make(QUARANTINED)
    console.print(outcome_table([quarantined], console.width, header=False), "")
    status, _ = scene.change_policy(BROKEN)
    console.print(styled(("Somebody breaks the file: the last good policy stays in force, and says so.", "bold")))
    for problem in status["problems"]:
        console.print(styled((f"  {problem.removeprefix(f'{scene.policy.parent}/')}", "yellow")))
    still = scene.make(STILL_QUARANTINED)
    console.print(outcome_table([still], console.width, header=False), "")
    scene.change_policy(original)
    return [quarantined, still]


def _program() -> str:
    """How this process was called, so that the same words call it again."""
    called = sys.argv[0]
    return f"{sys.executable} -m peergate" if Path(called).name == "__main__.py" else called


def _keep(scene: Scene, console: Console) -> None:
    """Show what to try and wait for Ctrl-C."""
    console.print()
    console.print(
        styled(("Everything stays up. Edit ", "bold"), str(scene.policy), (", and call:", "bold")), soft_wrap=True
    )
    console.print()
    for line in curl_lines(TOUR, scene.pki, scene.address[1]):
        console.print(line, soft_wrap=True)
    console.print()
    console.print(styled(("Ctrl-C ends it.", "bold")))
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()
