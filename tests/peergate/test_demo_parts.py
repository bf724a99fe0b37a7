"""The parts of the demo: an upstream that tells the truth about bytes, a client that sends them, lines for a shell."""

import shlex
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from peergate.demo.client import Answer, answer_from_socket, call, client_context, request_bytes
from peergate.demo.pki import HOSTS, demo_pki
from peergate.demo.scene import Outcome, alert_from_error
from peergate.demo.show import curl_lines, outcome_table
from peergate.demo.tour import TOUR, Call
from peergate.demo.upstream import EchoUpstream
from policies.engine.record import Enforcement
from policies.reason import Reason


@pytest.fixture
def upstream() -> Iterator[EchoUpstream]:
    with EchoUpstream() as running:
        yield running


def _ask(upstream: EchoUpstream, *requests: bytes) -> list[Answer]:
    with socket.create_connection(("127.0.0.1", upstream.port), 5) as connection:
        answers = []
        for request in requests:
            connection.sendall(request)
            answers.append(answer_from_socket(connection, method="GET"))
        return answers


def test_the_upstream_tells_the_request_line_byte_for_byte(upstream: EchoUpstream) -> None:
    (answer,) = _ask(upstream, request_bytes("GET", b"/a/%2e%2e//b;x\xff?q", [("Host", b"h")]))
    assert answer.echoed().target == "/a/%2e%2e//b;x\xff?q"


def test_the_upstream_tells_every_header_in_order(upstream: EchoUpstream) -> None:
    (answer,) = _ask(upstream, request_bytes("GET", b"/", [("A", b"1"), ("a", b"2"), ("A_b", b"\xff")]))
    assert answer.echoed().headers == (("A", "1"), ("a", "2"), ("A_b", "\xff"))


def test_a_header_is_found_under_every_spelling_of_its_name(upstream: EchoUpstream) -> None:
    (answer,) = _ask(upstream, request_bytes("GET", b"/", [("X-A", b"1"), ("x_a", b"2")]))
    assert answer.echoed().values("x-a") == ["1", "2"]


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"Content-Length: 0\r\n\r\n",
    ],
    ids=["length", "chunks", "empty"],
)
def test_a_body_is_skipped_and_the_next_request_read(body: bytes, upstream: EchoUpstream) -> None:
    first, second = _ask(upstream, b"POST /1 HTTP/1.1\r\n" + body, b"GET /2 HTTP/1.1\r\n\r\n")
    assert (first.echoed().target, second.echoed().target) == ("/1", "/2")


def test_a_client_that_goes_away_within_its_body_does_no_harm(upstream: EchoUpstream) -> None:
    with socket.create_connection(("127.0.0.1", upstream.port), 5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    assert _ask(upstream, b"GET /after HTTP/1.1\r\n\r\n")[0].status == 200


def test_a_closed_upstream_is_gone() -> None:
    with EchoUpstream() as running:
        port = running.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_an_answer_that_is_not_the_upstreams_echoes_nothing() -> None:
    denied = Answer(403, {"x-peergate-reason": "no_certificate"}, b'{"error": "denied"}')
    assert denied.reason == "no_certificate"
    with pytest.raises(ValueError, match="not an answer of the upstream"):
        denied.echoed()


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n"], ids=repr)
def test_what_is_no_http_answer_is_a_connection_error(said: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(said)
        there.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionError):
            answer_from_socket(here, method="GET")


def refusing(listener: socket.socket, context: ssl.SSLContext) -> None:
    with listener.accept()[0] as connection, suppress(ssl.SSLError):
        context.wrap_socket(connection, server_side=True)


@pytest.mark.parametrize("reset", [False, True])
def test_the_alert_of_a_refusal_is_read_even_where_the_request_could_not_be_sent_any_more(
    reset: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pki = demo_pki(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server.chain, pki.server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.server_ca)

    def too_late(_connection: ssl.SSLSocket, _data: bytes) -> None:
        raise BrokenPipeError

    if reset:
        monkeypatch.setattr(ssl.SSLSocket, "sendall", too_late)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Thread(target=refusing, args=(listener, context))
        server.start()
        request = request_bytes("GET", b"/", [("Host", b"h")])
        with pytest.raises(ssl.SSLError) as refused:
            call(listener.getsockname(), client_context(pki.server_ca, None), request, sni="localhost")
        server.join()
    assert alert_from_error(refused.value) == "certificate required"


def test_the_keys_are_their_owners_alone(tmp_path: Path) -> None:
    pki = demo_pki(tmp_path)
    keys = [pki.server.key, *(credentials.key for credentials in pki.callers.values())]
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


def test_the_server_certificate_names_every_host_of_the_tour() -> None:
    assert {call.host for call in TOUR} <= set(HOSTS)


def test_a_curl_line_sends_what_the_tour_sends(tmp_path: Path) -> None:
    pki = demo_pki(tmp_path)
    first, *lines = [str(line) for line in curl_lines(TOUR, pki, 8443)]
    assert first == f"cd {tmp_path}"
    for wanted, line in zip(TOUR, lines[1::2], strict=True):
        words = shlex.split(line)
        assert words[:2] == ["curl", "--path-as-is"]
        assert words[-1] == f"https://{wanted.host}:8443{wanted.target}"
        assert ("--cert" in words) == (wanted.caller is not None)
        assert words.count("-H") == len(wanted.headers)


ALLOWED = Call("", "billing", "h", "/a", Reason.ALLOWED_BY_RULE, "a", headers=(("X-Peergate-Identity", "root"),))
ECHO = b'{"line": "GET /a HTTP/1.1", "headers": [["x-peergate-identity", "billing"]]}'
RECORD = {"effect": "allow", "reason": "allowed_by_rule", "rules": ["a"], "enforcement": "native"}


def test_an_allowed_call_is_as_expected_if_nothing_forged_arrived() -> None:
    assert Outcome(ALLOWED, Answer(200, {}, ECHO), RECORD).is_as_expected


@pytest.mark.parametrize(
    ("answer", "record"),
    [
        (Answer(200, {}, ECHO), None),
        (Answer(200, {}, ECHO.replace(b"billing", b"root")), RECORD),
        (Answer(200, {}, ECHO.replace(b"/a", b"/b")), RECORD),
        (Answer(200, {}, ECHO), {**RECORD, "rules": ["a", "b"]}),
        (Answer(403, {"x-peergate-reason": "no_matching_rule"}, b"{}"), RECORD),
        (Answer(503, {}, b""), RECORD),
    ],
    ids=["no record", "a forged header arrived", "another path arrived", "another rule", "denied", "an error"],
)
def test_a_call_is_not_as_expected_otherwise(answer: Answer, record: dict[str, object] | None) -> None:
    assert not Outcome(ALLOWED, answer, record).is_as_expected


@pytest.mark.parametrize(("enforcement", "expected"), [("native", True), ("extauth", False)])
def test_a_call_that_is_decided_elsewhere_than_promised_is_not_as_expected(enforcement: str, expected: bool) -> None:
    record = {**RECORD, "enforcement": enforcement}
    outcome = Outcome(ALLOWED, Answer(200, {}, ECHO), record, enforcement=Enforcement.NATIVE)
    assert outcome.is_as_expected is expected


def test_a_narrow_table_puts_verdict_and_place_and_reason_and_rule_below_each_other() -> None:
    outcome = Outcome(ALLOWED, Answer(200, {}, ECHO), RECORD)
    assert [len(outcome_table([outcome], width).columns) for width in (80, 120)] == [4, 6]
