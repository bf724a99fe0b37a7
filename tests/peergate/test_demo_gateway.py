"""`peergate demo --gateway`: the same tour without an Envoy."""

import io
import re
import socket
import ssl

import pytest
from rich.console import Console

from peergate.demo.client import Answer
from peergate.demo.run import run_demo
from peergate.demo.scene import Outcome, alert_from_error
from peergate.demo.tour import TOUR, Call
from peergate.exit_code import ExitCode
from policies.reason import Reason
from tests.peergate.demo_output import shows


def shown(width: int, *, port: int = 0) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    code = run_demo(gateway=True, port=port, console=console)
    assert isinstance(console.file, io.StringIO)
    return code, console.file.getvalue()


def test_it_needs_no_envoy_and_every_call_comes_to_what_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERGATE_ENVOY", "/nowhere")
    code, text = shown(120)
    assert code == ExitCode.FINE, text
    for call in TOUR:
        assert shows(text, call, "gateway"), call
    assert "upstream saw: billing" in text
    assert re.search(r"generation [0-9a-f]+ -> [0-9a-f]+, in force after \d", text)
    assert "a TLS alert turned them away before there was a request" in text
    assert "demo --gateway --keep" in text


def test_no_line_is_wider_than_a_small_terminal() -> None:
    code, text = shown(80)
    assert code == ExitCode.FINE
    assert max(map(len, text.splitlines())) <= 80


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert shown(80, port=port)[0] == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in said
    assert said.count("\n") == 1


def refused(reason: Reason, alert: str) -> Outcome:
    return Outcome(Call("", "expired", "h", "/a", reason), None, None, alert)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (refused(Reason.CERTIFICATE_EXPIRED, "certificate expired"), True),
        (refused(Reason.CERTIFICATE_EXPIRED, "unknown ca"), False),
        (refused(Reason.CERTIFICATE_EXPIRED, ""), False),
        (refused(Reason.ALLOWED_BY_RULE, "certificate expired"), False),
        (refused(Reason.NO_CERTIFICATE, ""), False),
        (Outcome(Call("", "expired", "h", "/a", Reason.CERTIFICATE_EXPIRED), Answer(200, {}, b"{}"), None), False),
    ],
)
def test_only_the_alert_that_says_the_reason_stands_for_a_denial(outcome: Outcome, expected: bool) -> None:
    assert outcome.is_as_expected is expected


def test_the_words_of_an_alert_are_read_and_nothing_else() -> None:
    alert = ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:1)")
    assert alert_from_error(alert) == "unknown ca"
    assert alert_from_error(ssl.SSLError(1, "something else")) == ""
