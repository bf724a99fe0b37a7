"""Callers whom the Envoy of `up` refuses in the handshake: one line each in the service log, and a metric."""

import json
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from peergate.demo.client import Credentials, call, client_context, request_bytes
from peergate.up.handshakes import Handshakes
from pki.authority import Authority, Issued
from runtime.limits import MAX_HANDSHAKE_LINES
from runtime.metrics import Metrics
from tests.peergate.up_world import BILLING, POLICY, Up, running
from tests.runtime.said import messages

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MESH = Authority.root("mesh")


def expired() -> Issued:
    now = datetime.now(UTC)
    return MESH.issue(uri=[BILLING], not_before=now - timedelta(minutes=4), not_after=now - timedelta(minutes=1))


def not_yet_valid() -> Issued:
    return MESH.issue(uri=[BILLING], not_before=datetime.now(UTC) + timedelta(hours=1))


def foreign() -> Issued:
    return Authority.root("elsewhere").issue(uri=[BILLING])


def namesake() -> Issued:
    return Authority.root("mesh").issue(uri=[BILLING])


def forged() -> Issued:
    """By a CA of the same name, and nothing in it says that it is another one's."""
    issued = namesake()
    bare = x509.CertificateBuilder().subject_name(issued.certificate.subject).issuer_name(issued.certificate.issuer)
    bare = bare.serial_number(7).public_key(issued.key.public_key())
    bare = bare.not_valid_before(issued.certificate.not_valid_before_utc)
    bare = bare.not_valid_after(issued.certificate.not_valid_after_utc)
    names = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    signed = bare.add_extension(names, critical=True).sign(Authority.root("mesh").issued.key, SHA256())
    return replace(issued, certificate=signed)


def server_only() -> Issued:
    return MESH.issue(uri=[BILLING], server=True, client=False)


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    # As JSON a line of the log can be taken apart.
    with running(POLICY, "--log-format", "json") as running_up:
        (running_up.folder / "ca.pem").write_bytes((running_up.folder / "ca.pem").read_bytes() + MESH.pem)
        before = running_up.process.status()["generation"]
        running_up.until(lambda: running_up.process.status()["generation"] != before)
        running_up.until(lambda: _answers(running_up))
        yield running_up


def _answers(up: Up) -> bool:
    return up.get("/v1/a").status == 200


def context(up: Up, issued: Issued | None, version: ssl.TLSVersion) -> ssl.SSLContext:
    credentials = None
    if issued is not None:
        credentials = Credentials(up.folder / "refused.pem", up.folder / "refused.key")
        credentials.chain.write_bytes(issued.chain_pem)
        credentials.key.write_bytes(issued.key_pem)
    made = client_context(up.folder / "ca.pem", credentials)
    made.minimum_version = made.maximum_version = version
    return made


def lines(up: Up) -> list[dict[str, Any]]:
    """What the log says of handshakes so far."""
    read = [line for line in (up.folder / "run" / "up.log").read_text().splitlines() if line.startswith("{")]
    return [found for found in map(json.loads, read) if found["message"] == "a handshake failed"]


def counted(up: Up) -> dict[str, float]:
    return up.metrics("peergate_handshakes_total")


def connection(up: Up) -> socket.socket:
    return socket.create_connection(("127.0.0.1", up.port), 5)


def said(up: Up, act: Callable[[], object]) -> dict[str, Any]:
    """The one line, and the one more failure, that come of this."""
    known, failures = len(lines(up)), counted(up)['{result="failure"}']
    act()
    up.until(lambda: len(lines(up)) > known)
    (line,) = lines(up)[known:]
    assert counted(up)['{result="failure"}'] == failures + 1
    return line


def refused(up: Up, tls: ssl.SSLContext) -> None:
    request = request_bytes("GET", b"/", [("Host", b"h.example")])
    with pytest.raises(ssl.SSLError):
        call(("127.0.0.1", up.port), tls, request, sni="h.example")


CAUSES: list[tuple[Callable[[], Issued | None], str]] = [
    (expired, "the client's certificate is refused: it, or a CA above it, has expired"),
    (not_yet_valid, "the client's certificate is refused: it, or a CA above it, is not yet valid"),
    (foreign, "the client's certificate is refused: no CA of the policy issued it; is its intermediate CA sent along?"),
    (
        namesake,
        "the client's certificate is refused: no CA of the policy issued it; is its intermediate CA sent along?",
    ),
    (forged, "the client's certificate is refused: a signature in its chain is wrong"),
    (server_only, "the client's certificate is refused: its extended key usage lacks clientAuth"),
    (lambda: None, "the client sent no certificate, and no rule allows unauthenticated callers"),
]


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
@pytest.mark.parametrize(("issued", "cause"), CAUSES)
def test_who_is_refused_in_the_handshake_is_one_line_of_the_log_and_counted(
    up: Up, issued: Callable[[], Issued | None], cause: str, version: ssl.TLSVersion
) -> None:
    shown = issued()
    line = said(up, partial(refused, up, context(up, shown, version)))
    assert (line["part"], line["level"], line["sni"], line["cause"]) == ("tls", "warning", "h.example", cause)
    assert line["peer"].startswith("127.0.0.1:")
    if shown is None:
        assert not {"uri", "issuer", "sha256", "not_after"} & set(line)
    else:
        assert line["uri"] == BILLING
        assert line["issuer"] == shown.certificate.issuer.rfc4514_string()
        assert line["sha256"] == shown.certificate.fingerprint(SHA256()).hex()
        assert line["not_after"] == shown.certificate.not_valid_after_utc.isoformat(timespec="seconds")


def test_who_is_served_adds_no_line_and_is_counted(up: Up) -> None:
    known, done = len(lines(up)), counted(up)['{result="success"}']
    for _ in range(5):
        assert up.get("/v1/a").status == 200
    up.until(lambda: counted(up)['{result="success"}'] == done + 5)
    assert len(lines(up)) == known


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_a_connection_that_breaks_after_its_handshake_is_no_failed_handshake(up: Up, version: ssl.TLSVersion) -> None:
    known, failures = len(lines(up)), counted(up)['{result="failure"}']
    issued = MESH.issue(uri=[BILLING])
    with connection(up) as raw, context(up, issued, version).wrap_socket(raw, server_hostname="h.example") as tls:
        tls.sendall(b"GET /v1/a HTTP/1.1\r\nHost: h.example\r\n\r\n")
        assert tls.recv(1)
        with socket.socket(fileno=tls.detach()) as cut:
            cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # What comes later is said later.
    said(up, partial(refused, up, context(up, None, version)))
    assert (len(lines(up)), counted(up)['{result="failure"}']) == (known + 1, failures + 1)


def test_a_port_that_is_only_looked_at_adds_no_line(up: Up) -> None:
    known = len(lines(up))
    connection(up).close()
    said(up, partial(refused, up, context(up, None, TLS_1_3)))
    assert len(lines(up)) == known + 1


def _sent(up: Up, sent: bytes) -> None:
    with connection(up) as raw:
        raw.sendall(sent)
        while raw.recv(4096):
            pass


@pytest.mark.parametrize(
    ("sent", "cause"),
    [
        (b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", "plain HTTP was sent where TLS is spoken: use https://"),
        (b"\x00" * 64, "what was sent is not TLS"),
    ],
)
def test_what_is_no_tls_is_named(up: Up, sent: bytes, cause: str) -> None:
    line = said(up, partial(_sent, up, sent))
    assert line["cause"] == cause
    assert "sni" not in line


def test_an_old_version_of_tls_is_named(up: Up) -> None:
    arguments = ["s_client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-connect", f"127.0.0.1:{up.port}"]
    act = partial(subprocess.run, ["openssl", *arguments], input=b"", capture_output=True, timeout=20, check=False)
    assert said(up, act)["cause"] == "the client speaks no TLS version that this listener speaks"


def test_a_client_that_refuses_the_listener_is_named_where_its_alert_can_be_read(up: Up, tmp_path: Path) -> None:
    for version, cause in (
        (TLS_1_2, "the client does not trust the CA of the listener's certificate"),
        (TLS_1_3, "the client broke off, most likely as it refused the listener's certificate"),
    ):
        strict = ssl.create_default_context(cadata=Authority.root("Nobody").pem.decode())
        strict.maximum_version = version
        assert said(up, partial(refused, up, strict))["cause"] == cause


def test_an_envoy_that_is_started_anew_or_does_not_answer_loses_no_count() -> None:
    metrics = Metrics()
    told: Iterator[int | OSError] = iter([3, OSError(), 5, 2])

    def done() -> int:
        answer = next(told)
        if isinstance(answer, OSError):
            raise answer
        return answer

    seconds = iter(range(0, 1000, 2))
    handshakes = Handshakes(metrics, done, lambda: float(next(seconds)))
    for counted_so_far in (3, 3, 5, 7):
        handshakes.count_done()
        assert metrics.registry.get_sample_value("peergate_handshakes_total", {"result": "success"}) == counted_so_far


def test_many_refused_at_once_are_a_bounded_number_of_lines_and_all_are_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    handshakes = Handshakes(metrics, lambda: 0, lambda: 1.0)
    for _ in range(100):
        handshakes.take(b'{"handshake":"x","done":null,"peer":"192.0.2.7:1"}')
    assert messages(caplog) == ["a handshake failed"] * MAX_HANDSHAKE_LINES
    assert metrics.registry.get_sample_value("peergate_handshakes_total", {"result": "failure"}) == 100
