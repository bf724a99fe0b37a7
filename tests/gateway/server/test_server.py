"""The server over real TLS sockets: what the application is told, and what a connection ends with."""

import logging
import socket
import ssl
from pathlib import Path

import pytest

from gateway.connection import CONNECTION, TARGET, TLS
from runtime.address import UnixAddress
from tests.gateway.server.world import Client, Recorder, billing, caller, everything, mesh, served, serving


def test_the_application_is_told_the_chain_the_versions_and_the_sni() -> None:
    app = Recorder()
    with serving(app) as server:
        assert caller().answer(server).startswith(b"HTTP/1.1 200 OK")
    scope = app.scopes[0]
    tls = scope["extensions"][TLS]
    assert tls["client_cert_chain"][0].encode() == billing().pem
    assert tls["server_cert"].encode() == served().pem
    assert tls["tls_version"] == 0x0304
    assert tls["cipher_suite"] in (0x1301, 0x1302, 0x1303)
    assert (tls["client_cert_name"], tls["client_cert_error"]) == (None, None)
    assert scope["extensions"][CONNECTION]["sni"] == "localhost"
    assert scope["extensions"][CONNECTION]["source"] == scope["client"]
    assert scope["client"][0] == "127.0.0.1"


def test_an_intermediate_that_the_client_sends_is_in_the_chain() -> None:
    app = Recorder()
    issued = mesh().intermediate("Issuing CA").issue(uri=["spiffe://acme.internal/x"])
    with serving(app) as server:
        Client(issued).answer(server)
    chain = "".join(app.scopes[0]["extensions"][TLS]["client_cert_chain"]).encode()
    assert chain.startswith(issued.chain_pem)


@pytest.mark.parametrize("target", [b"/a%2f..//b?", b"http://other/x?y#z", b"/#", b"//a", b"*"])
def test_the_application_is_shown_the_target_as_it_was_received(target: bytes) -> None:
    app = Recorder()
    with serving(app) as server:
        caller().answer(server, b"OPTIONS " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert app.scopes[0]["extensions"][TARGET] == target


def test_the_websocket_is_told_the_same_and_works() -> None:
    app = Recorder()
    head = (
        b"GET /chat?a= HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with serving(app) as server, caller().connected(server) as client:
        client.sendall(head)
        assert client.recv(4096).startswith(b"HTTP/1.1 101")
        client.sendall(b"\x81\x82\x00\x00\x00\x00hi")
        assert client.recv(4096) == b"\x81\x02hi"
    extensions = app.scopes[0]["extensions"]
    assert extensions[TLS]["client_cert_chain"][0].encode() == billing().pem
    assert extensions[TARGET] == b"/chat?a="
    assert extensions[CONNECTION]["sni"] == "localhost"
    assert server.caps.count == 0


def test_trailers_never_become_headers() -> None:
    """Law 7: nobody may add an identity after the request was judged."""
    app = Recorder()
    with serving(app) as server:
        sent = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = caller().answer(server, sent + b"1\r\nx\r\n0\r\nx-forwarded-client-cert: URI=evil\r\n\r\n")
    assert answer.endswith(b"1")
    assert [name for name, _ in app.scopes[0]["headers"]] == [b"host", b"connection", b"transfer-encoding"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_is_no_plain_request_is_refused_and_never_handed_on(head: bytes) -> None:
    app = Recorder()
    with serving(app) as server:
        assert caller().answer(server, head).startswith(b"HTTP/1.1 400 ")
    assert app.scopes == []


def test_connect_is_handed_on_as_it_is_for_the_judge_to_refuse_and_ends_the_connection() -> None:
    app = Recorder()
    sent = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with serving(app) as server:
        answer = caller().answer(server, sent)
    assert b"connection: close" in answer
    (scope,) = app.scopes
    assert (scope["method"], scope["raw_path"], scope["extensions"][TARGET]) == ("CONNECT", b"a:443", b"a:443")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_never_resumed_and_who_asks_for_it_is_served(version: ssl.TLSVersion) -> None:
    """A resumed session would skip the chain and outlive a change of CAs."""
    client = Client(billing(), version)
    made, session = client.context(), None
    with serving(Recorder()) as server:
        for _ in range(3):
            with made.wrap_socket(client.raw(server), server_hostname="localhost", session=session) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert everything(connection).startswith(b"HTTP/1.1 200")
                assert not connection.session_reused
                session = connection.session


def test_the_listener_may_be_a_unix_socket(tmp_path: Path) -> None:
    app = Recorder()
    place = UnixAddress(str(tmp_path / "gateway"))
    with serving(app, address=place), socket.socket(socket.AF_UNIX) as raw:
        raw.connect(place.path)
        with caller().context().wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert everything(client).startswith(b"HTTP/1.1 200")
    assert app.scopes[0]["client"] is None


def test_a_stopped_server_leaves_no_connection_and_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), serving(Recorder()) as server, caller().connected(server):
        pass
    assert server.caps.count == 0
    assert not caplog.records
