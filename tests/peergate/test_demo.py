"""`peergate demo`: what a newcomer sees first must hold, every time, and clean up after itself."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from peergate.demo import run as demo
from peergate.demo.run import run_demo
from peergate.demo.tour import INVOICES, TOUR, Call
from peergate.exit_code import ExitCode
from policies.engine.record import Enforcement
from policies.reason import Effect, Reason
from tests.peergate.demo_output import console_of, shows, text_on


@pytest.fixture(scope="module")
def shown() -> tuple[int, str]:
    """One run in this process: exit code and output."""
    console = console_of(120)
    return run_demo(console=console), text_on(console)


def test_it_ends_0(shown: tuple[int, str]) -> None:
    assert shown[0] == ExitCode.FINE, shown[1]


def test_it_shows_every_call_with_place_reason_and_rule(shown: tuple[int, str]) -> None:
    for call in TOUR:
        assert shows(shown[1], call, "asked" if call.asked else "in Envoy"), call


def test_it_tells_how_many_calls_were_decided_where(shown: tuple[int, str]) -> None:
    for line in (
        " 7 in Envoy   inside Envoy, which has the policy: nobody was asked",
        " 7 asked      Envoy asked peergate",
        " 2 handshake  not at all: a TLS alert turned them away before there was a request",
    ):
        assert line in shown[1]


def test_it_shows_the_command_that_serves(shown: tuple[int, str]) -> None:
    assert re.search(r"peergate up policy --listen 127\.0\.0\.1:\d+ --cert policy/pki/server\.pem", shown[1])


def test_for_comparison_an_envoy_asks_about_every_request() -> None:
    console = console_of(120)
    assert run_demo(native=False, console=console) == ExitCode.FINE
    text = text_on(console)
    for call in TOUR:
        assert shows(text, call, "asked"), call
    assert "14 asked " in text
    assert "in Envoy" not in text
    assert "demo --no-native --keep" in text


def test_it_makes_at_least_twelve_calls_with_every_common_denial() -> None:
    reasons = {call.reason for call in TOUR}
    assert len(TOUR) >= 12
    assert reasons >= {
        Reason.ALLOWED_BY_RULE,
        Reason.NO_CERTIFICATE,
        Reason.NO_MATCHING_RULE,
        Reason.DENIED_BY_RULE,
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_REVOKED,
        Reason.CERTIFICATE_UNTRUSTED,
        Reason.SVID_INVALID,
        Reason.PATH_AMBIGUOUS,
    }


def test_it_shows_what_the_upstream_saw_of_a_forged_identity(shown: tuple[int, str]) -> None:
    assert "X-Peergate-Identity: root" in shown[1]
    assert "upstream saw: billing" in shown[1]


def test_it_shows_a_live_reload_and_a_broken_file(shown: tuple[int, str]) -> None:
    assert re.search(r"generation [0-9a-f]+ -> [0-9a-f]+, in force after \d", shown[1])
    assert re.search(r"deny +in Envoy +denied_by_rule +quarantine-billing", shown[1])
    assert re.search(r"policy\.yaml:\d+:\d+: key_unknown: ", shown[1])
    assert shown[1].count("quarantine-billing") >= 3


def test_no_line_is_wider_than_a_small_terminal() -> None:
    console = console_of(80)
    assert run_demo(console=console) == ExitCode.FINE
    assert max(map(len, text_on(console).splitlines())) <= 80


def test_a_call_that_comes_to_something_else_ends_1_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Call("a promise", "billing", TOUR[0].host, TOUR[0].target, Reason.NO_MATCHING_RULE)
    monkeypatch.setattr(demo, "TOUR", (wrong,))
    console = console_of(120)
    assert run_demo(console=console) == ExitCode.NO
    assert "not as expected: a promise: wanted deny because no_matching_rule, native; got 200" in text_on(console)
    assert wrong.effect is Effect.DENY


def test_a_call_that_was_asked_about_though_envoy_can_say_it_ends_1_and_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Call("a promise", "auditor", INVOICES, "/v1/reports/q1", Reason.ALLOWED_BY_RULE, "auditor-reads-reports")
    monkeypatch.setattr(demo, "TOUR", (asked,))
    console = console_of(120)
    assert run_demo(console=console) == ExitCode.NO
    said = " ".join(text_on(console).split())
    assert f"wanted allow because allowed_by_rule by auditor-reads-reports, {Enforcement.NATIVE}; got 200" in said


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_demo(port=port, console=console_of(120)) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert "Address already in use" in said
    assert said.count("\n") == 1


def test_a_missing_envoy_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PEERGATE_ENVOY", str(tmp_path / "nowhere"))
    assert run_demo(console=console_of(120)) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert "nowhere is not an executable file" in said
    assert said.count("\n") == 1


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder under which the path of a Unix socket stays within its 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="kept-") as folder:
        yield Path(folder)


def test_a_folder_too_deep_for_unix_sockets_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    assert run_demo(console=console_of(120)) == ExitCode.NO
    said = capsys.readouterr().err
    assert "Unix socket" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_kept_it_stays_up_with_lines_to_try_until_it_is_ended(ending: signal.Signals, short_folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "peergate", "demo", "--keep"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(short_folder), "COLUMNS": "120"},
    )
    assert process.stdout is not None
    lines: list[str] = []
    while "Ctrl-C ends it." not in (line := process.stdout.readline()):
        assert line, lines
        lines.append(line)
    assert sum(line.startswith("curl ") for line in lines) == len(TOUR)
    assert _answers(lines)
    process.send_signal(ending)
    process.communicate(timeout=20)
    assert process.returncode == ExitCode.FINE
    assert list(short_folder.iterdir()) == []
    assert not _answers(lines)


def _answers(lines: list[str]) -> bool:
    """Whether somebody still listens where the lines point to."""
    port = next(int(match[1]) for line in lines if (match := re.search(r"--resolve \S+:(\d+):", line)))
    time.sleep(0.05)
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_gateway_that_does_not_ask_an_envoy_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "peergate", "demo", "--gateway", "--no-native"]
    assert subprocess.run(command, check=False).returncode == ExitCode.USAGE
    assert "leave out --gateway or --no-native" in capfd.readouterr().err
