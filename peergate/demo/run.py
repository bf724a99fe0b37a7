"""The demo from its first line to its last."""

import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from peergate.console import error_line, print_facts, stdout, styled
from peergate.demo.scene import Outcome, Scene
from peergate.demo.scenes import AskingScene, GatewayScene, UpScene
from peergate.demo.service import ServiceError
from peergate.demo.show import curl_lines, outcome_table, print_failures, print_places
from peergate.demo.tour import BROKEN, QUARANTINE, QUARANTINED, STILL_QUARANTINED, TOUR
from peergate.exit_code import ExitCode
from runtime.envoy.binary import envoy_version, find_envoy
from runtime.envoy.errors import EnvoyError
from runtime.errors import ConfigurationError

_NO_NATIVE = "--no-native"


def run_demo(
    *,
    gateway: bool = False,
    native: bool = True,
    keep: bool = False,
    port: int = 0,
    console: Console | None = None,
) -> int:
    """Run the demo and return its exit code.

    `gateway`: show the gateway, and no Envoy. `native`: whether Envoy has the policy inside. `port`: where either
    listens on 127.0.0.1, 0 = any free one. `keep`: leave everything up until Ctrl-C, with lines for curl. 1 = a call
    did not come to what it should; 78 = there is no Envoy, or the port is taken.
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
            with _scene(Path(folder), port, gateway=gateway, native=native) as scene:
                return _play(scene, console, began, keep=keep)
    except (EnvoyError, ConfigurationError) as error:
        error_line(str(error))
        return ExitCode.CONFIGURATION
    except (ServiceError, OSError) as error:
        error_line(f"the demo ended early: {error}")
        return ExitCode.NO
    finally:
        signal.signal(signal.SIGTERM, before)


def _scene(folder: Path, port: int, *, gateway: bool, native: bool) -> Scene:
    if gateway:
        return GatewayScene(folder, port)
    return UpScene(folder, port) if native else AskingScene(folder, port, _NO_NATIVE)


def _play(scene: Scene, console: Console, began: float, *, keep: bool) -> int:
    console.print(styled(("A throw-away PKI, an upstream, and in front of it:", "dim")))
    print_facts(console, [("", shlex.join(scene.command))])
    outcomes = scene.make_all(TOUR)
    console.print("", outcome_table(outcomes, console.width), "", sep="\n")
    print_places(console, outcomes)
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
        console.print(styled((f"Try it yourself: {_program()} demo{_flag_of(scene)} --keep", "dim")))
    return ExitCode.NO if failures else ExitCode.FINE


def _changed_live(scene: Scene, console: Console) -> list[Outcome]:
    """A rule is added, then the file is broken, while everything runs; in the end it is as it was."""
    original = scene.policy.read_text(encoding="utf-8")
    before = scene.status()["generation"]
    began = time.monotonic()
    generation = scene.change_policy(original + QUARANTINE)["generation"]
    quarantined, decided = scene.make_under(generation, QUARANTINED)
    console.print(styled(("The policy changes while everything runs:", "bold")))
    console.print(styled((f"  + {QUARANTINE.strip().removeprefix('- ')}", "green")))
    in_force = f"  generation {before} -> {generation}, in force after {decided - began:.1f} s"
    console.print(styled((in_force, "dim")))
    console.print(outcome_table([quarantined], console.width, header=False), "")
    status = scene.change_policy(BROKEN)
    console.print(styled(("Somebody breaks the file: the last good policy stays in force, and says so.", "bold")))
    problems = [problem.removeprefix(f"{scene.policy.parent}/") for problem in status["problems"]]
    print_facts(console, [("", styled((problem, "yellow"))) for problem in problems])
    still = scene.make(STILL_QUARANTINED)
    console.print(outcome_table([still], console.width, header=False), "")
    scene.change_policy(original)
    return [quarantined, still]


def _flag_of(scene: Scene) -> str:
    """What chose the scene."""
    if isinstance(scene, GatewayScene):
        return " --gateway"
    return f" {_NO_NATIVE}" if isinstance(scene, AskingScene) else ""


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
