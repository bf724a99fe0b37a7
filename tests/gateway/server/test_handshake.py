"""Handshakes that fail: the client sees the right alert, the log names peer and cause."""

import hashlib
import logging
import shutil
import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from gateway.server import limits
from gateway.server.server import GatewayServer
from gateway.server.tls_context import GatewayContext
from pki.authority import Authority, Issued
from runtime import limits as bounds
from runtime.address import TcpAddress
from tests.gateway.server.world import (
    QUESTION,
    Client,
    Recorder,
    billing,
    caller,
    context,
    eventually,
    everything,
    is_cut,
    mesh,
    serving,
)


def expired() -> Issued:
    now = datetime.now(UTC)
    dates = now - timedelta(minutes=4), now - timedelta(minutes=1)
    return mesh().issue(uri=["spiffe://acme.internal/x"], not_before=dates[0], not_after=dates[1])


def stranger() -> Issued:
    return Authority.root("Other root").issue(uri=["spiffe://acme.internal/x"])


def alert_of(server: GatewayServer, client: Client) -> str:
    """What OpenSSL calls the alert that the client received."""
    with pytest.raises(ssl.SSLError) as caught:
        client.answer(server)
    return caught.value.reason or ""


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """The facts of each line about a handshake."""
    return [getattr(record, "facts", {}) for record in caplog.records if record.name == "peergate.tls"]


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    facts = told(caplog)
    assert all(fact["peer"].startswith("127.0.0.1:") for fact in facts)
    return [fact["cause"] for fact in facts]


CASES = [
    (expired, None, "SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired"),
    (expired, ssl.TLSVersion.TLSv1_2, "SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired"),
    (stranger, None, "TLSV1_ALERT_UNKNOWN_CA", "no CA of the policy issued it"),
    (stranger, ssl.TLSVersion.TLSv1_2, "TLSV1_ALERT_UNKNOWN_CA", "no CA of the policy issued it"),
    (lambda: None, None, "TLSV13_ALERT_CERTIFICATE_REQUIRED", "the client sent no certificate"),
    (lambda: None, ssl.TLSVersion.TLSv1_2, "SSLV3_ALERT_HANDSHAKE_FAILURE", "the client sent no certificate"),
]


@pytest.mark.parametrize(("issued", "version", "alert", "cause"), CASES)
def test_a_client_is_told_by_an_alert_and_the_log_in_words(
    issued: object, version: ssl.TLSVersion | None, alert: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Recorder()
    with caplog.at_level(logging.WARNING), serving(app) as server:
        assert alert_of(server, Client(issued(), version)) == alert  # type: ignore[operator]  # a table of functions
    assert len(causes(caplog)) == 1
    assert cause in causes(caplog)[0]
    assert app.scopes == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_log_names_a_refused_certificate_where_it_came_in_clear(
    version: ssl.TLSVersion, caplog: pytest.LogCaptureFixture
) -> None:
    issued = expired()
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server:
        alert_of(server, Client(issued, version))
    (facts,) = told(caplog)
    if version is ssl.TLSVersion.TLSv1_3:
        assert set(facts) == {"peer", "sni", "cause"}
    else:
        assert facts["uri"] == "spiffe://acme.internal/x"
        assert facts["issuer"] == "CN=Mesh root"
        assert facts["sha256"] == hashlib.sha256(issued.der).hexdigest()
        assert facts["not_after"] == issued.certificate.not_valid_after_utc.isoformat(timespec="seconds")


def test_an_invalid_certificate_fails_where_none_is_required_too() -> None:
    """It never counts as unauthenticated."""
    optional = context(required=False)
    with serving(Recorder(), tls=lambda: optional) as server:
        assert alert_of(server, Client(stranger())) == "TLSV1_ALERT_UNKNOWN_CA"
        assert Client().answer(server).startswith(b"HTTP/1.1 200")


def test_a_server_certificate_is_none_for_a_client(caplog: pytest.LogCaptureFixture) -> None:
    issued = mesh().issue(dns=["localhost"], server=True, client=False)
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server:
        assert alert_of(server, Client(issued)) in ("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "TLSV1_ALERT_UNKNOWN_CA")
    assert "clientAuth" in causes(caplog)[0]


def test_an_anchor_may_be_an_intermediate_ca() -> None:
    issuing = mesh().intermediate("Issuing CA")
    made = context(cas=[issuing.issued.der])
    with serving(Recorder(), tls=lambda: made) as server:
        assert Client(issuing.issue(uri=["spiffe://acme.internal/x"])).answer(server).startswith(b"HTTP/1.1 200")
        assert alert_of(server, caller()) == "TLSV1_ALERT_UNKNOWN_CA"


def test_no_version_in_common_is_said_by_alert_and_log(caplog: pytest.LogCaptureFixture) -> None:
    newest = context(minimum=ssl.TLSVersion.TLSv1_3)
    with caplog.at_level(logging.WARNING), serving(Recorder(), tls=lambda: newest) as server:
        assert alert_of(server, Client(billing(), ssl.TLSVersion.TLSv1_2)) == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert caller().answer(server).startswith(b"HTTP/1.1 200")
    assert causes(caplog) == ["the client speaks no TLS version that this listener speaks"]


def test_nothing_below_tls_1_2_is_spoken() -> None:
    with serving(Recorder()) as server:
        assert isinstance(server.address, TcpAddress)
        openssl = shutil.which("openssl")
        assert openssl is not None
        place = f"127.0.0.1:{server.address.port}"
        arguments = ["s_client", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-connect", place]
        done = subprocess.run([openssl, *arguments], input="", capture_output=True, text=True, timeout=20, check=False)
    assert "alert protocol version" in done.stderr


def test_plain_http_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server:
        with caller().raw(server) as raw:
            raw.sendall(QUESTION)
            everything(raw)
        with caller().raw(server) as raw:
            raw.sendall(b"\x00" * 64)
            everything(raw)
    assert causes(caplog) == ["plain HTTP was sent where TLS is spoken: use https://", "what was sent is not TLS"]


def test_a_client_that_refuses_our_certificate_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server, caller().raw(server) as raw:
        strict = ssl.create_default_context(cadata=Authority.root("Nobody").pem.decode())
        with pytest.raises(ssl.SSLCertVerificationError):
            strict.wrap_socket(raw, server_hostname="localhost")
    assert causes(caplog) == ["the client does not trust the CA of the listener's certificate"]


def test_a_silent_client_is_cut_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.3)
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server, caller().raw(server) as raw:
        assert everything(raw) == b""
    assert causes(caplog) == ["the handshake took more than 0.3 s"]


def test_failures_are_logged_within_a_bound_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bounds, "MAX_HANDSHAKE_LINES", 1)
    with caplog.at_level(logging.WARNING), serving(Recorder()) as server:
        for _ in range(30):
            with socket.create_connection((server.address.host, server.address.port)) as raw:  # type: ignore[union-attr]
                raw.sendall(b"\x00" * 64)
                everything(raw)
    assert 1 <= len(told(caplog)) <= 5


def broken() -> GatewayContext:
    raise RuntimeError("a defect")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("peergate")]


def test_a_handshake_that_ends_by_a_defect_of_ours_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[bool] = []
    with serving(Recorder(), tls=broken, count=counted.append) as server, Client().raw(server) as connection:
        assert is_cut(connection)
        assert eventually(lambda: counted == [False])
    assert lines(caplog) == ["a connection could not be served"]


def test_a_handshake_that_ends_with_the_server_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[bool] = []
    with serving(Recorder(), count=counted.append) as server, Client().raw(server) as connection:
        connection.sendall(b"\x16")
        time.sleep(0.2)
        server.stop(1)
        assert is_cut(connection)
    assert counted == [False]
    assert causes(caplog) == ["the gateway was stopped during the handshake"]


def test_a_handshake_that_is_done_is_counted_once() -> None:
    counted: list[bool] = []
    with serving(Recorder(), count=counted.append) as server:
        assert b"200 OK" in caller().answer(server, QUESTION)
    assert counted == [True]
