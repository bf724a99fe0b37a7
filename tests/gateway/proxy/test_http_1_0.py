"""A client that speaks HTTP/1.0 gets no chunks (RFC 9112 §6.1), and an answer that breaks off does not look whole."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.server.server import GatewayServer
from runtime.address import UnixAddress
from tests.gateway.proxy.test_websocket import Switch, other_policy
from tests.gateway.proxy.upstream import RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying
from tests.gateway.server.world import Client, billing, everything, serving

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
#: How an end looks that nobody meant.
BROKEN = (ConnectionResetError, ssl.SSLEOFError)
MEBIBYTE = 1024 * 1024


def old(target: bytes = b"/v1/a", *headers: bytes, method: bytes = b"GET") -> bytes:
    return b"\r\n".join([method + b" " + target + b" HTTP/1.0", b"Host: h.example", *headers, b"", b""])


@contextmanager
def strict(server: GatewayServer) -> Iterator[ssl.SSLSocket]:
    """A connection whose reader is told of an end without TLS's own goodbye."""
    raw = Client(billing()).raw(server)
    with (
        Client(billing())
        .context()
        .wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as connection
    ):
        yield connection


def undated(answer: bytes) -> tuple[list[bytes], bytes]:
    """Status line and headers less the date, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return [line for line in head.split(b"\r\n") if not line.startswith(b"date: ")], body


def until(connection: Any, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        more = connection.recv(4096)
        assert more, got
        got += more
    return got


@pytest.mark.parametrize("kept", [(), (b"Connection: keep-alive",)])
def test_a_streamed_answer_ends_with_the_connection(kept: tuple[bytes, ...]) -> None:
    chunked = answering(CHUNKED)
    with RecordingUpstream(chunked) as upstream, proxying(upstream.url) as server, strict(server) as connection:
        connection.sendall(old(b"/v1/a", *kept))
        answer = everything(connection)
    assert undated(answer) == ([b"HTTP/1.1 200 OK", b"connection: close"], b"hello, world")


def test_an_answer_with_a_length_keeps_it() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answer = answered(server, old())
    assert undated(answer) == ([b"HTTP/1.1 200 OK", b"content-length: 2", b"connection: close"], b"ok")


def test_the_answer_to_head_has_no_body() -> None:
    given = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        answer = answered(server, old(method=b"HEAD"))
    assert undated(answer) == ([b"HTTP/1.1 200 OK", b"connection: close"], b"")


def test_a_big_streamed_answer_arrives_whole_at_a_slow_client() -> None:
    size = 24 * MEBIBYTE

    def big(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n" % size)
        connection.sendall(bytes(size) + b"\r\n0\r\n\r\n")

    with RecordingUpstream(big) as upstream, proxying(upstream.url) as server, strict(server) as connection:
        connection.sendall(old())
        time.sleep(0.5)
        assert len(everything(connection).partition(b"\r\n\r\n")[2]) == size


@pytest.mark.parametrize("rest", [b"", b"zz\r\n"])
def test_an_answer_that_breaks_off_does_not_look_whole(rest: bytes) -> None:
    def break_off(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(BEGUN)
        time.sleep(0.1)
        connection.sendall(rest)
        connection.shutdown(socket.SHUT_RDWR)

    with (
        RecordingUpstream(break_off) as upstream,
        proxying(upstream.url, read_seconds=0.5) as server,
        strict(server) as connection,
    ):
        connection.sendall(old())
        with pytest.raises(BROKEN):
            everything(connection)


def test_what_is_cut_as_no_longer_allowed_does_not_look_whole() -> None:
    switch, over = Switch(), threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(BEGUN)
        over.wait(10)

    with (
        RecordingUpstream(endless) as upstream,
        proxying(upstream.url, live=switch) as server,
        strict(server) as connection,
    ):
        connection.sendall(old())
        until(connection, b"first")
        switch.current = other_policy()
        with pytest.raises(BROKEN):
            everything(connection)
        over.set()


def test_what_ends_with_the_server_does_not_look_whole() -> None:
    over = threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(BEGUN)
        over.wait(10)

    with RecordingUpstream(endless) as upstream, proxying(upstream.url) as server, strict(server) as connection:
        connection.sendall(old())
        until(connection, b"first")
        server.stop(1)
        with pytest.raises(BROKEN):
            everything(connection)
        over.set()


def test_garbage_after_the_request_does_not_make_its_answer_look_whole() -> None:
    over = threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(BEGUN)
        over.wait(10)

    with RecordingUpstream(endless) as upstream, proxying(upstream.url) as server, strict(server) as connection:
        connection.sendall(old(b"/v1/a", b"Connection: keep-alive"))
        until(connection, b"first")
        connection.sendall(b"\0garbage\r\n\r\n" * 4)
        with pytest.raises(BROKEN):
            everything(connection)
        over.set()


class Streaming:
    """An application that writes its own chunks' header, and after `go_on` breaks, or ends."""

    def __init__(self, *, breaks: bool = False) -> None:
        self.go_on = threading.Event()
        self._breaks = breaks

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        headers = [(b"Transfer-Encoding", b"chunked")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        if self._breaks:
            await receive()
            await receive()
        else:
            await send({"type": "http.response.body", "body": b" last"})


def test_chunks_that_an_application_announces_are_not_sent() -> None:
    with serving(Streaming()) as server:
        answer = Client(billing()).answer(server, old())
    assert undated(answer) == ([b"HTTP/1.1 200 OK", b"connection: close"], b"first last")


def plain(server: GatewayServer) -> socket.socket:
    return Client().raw(server)


def test_without_tls_a_client_that_ends_its_side_is_not_shown_a_whole_answer() -> None:
    with serving(Streaming(breaks=True), tls=lambda: None) as server, plain(server) as connection:
        connection.sendall(old())
        until(connection, b"first")
        connection.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            everything(connection)


def test_without_tls_a_whole_answer_ends_in_peace() -> None:
    with serving(Streaming(), tls=lambda: None) as server, plain(server) as connection:
        connection.sendall(old())
        assert everything(connection).endswith(b"\r\n\r\nfirst last")


def test_on_a_unix_socket_a_streamed_answer_has_no_chunks(tmp_path: Any) -> None:
    path = str(tmp_path / "s")
    plain_on_path = serving(Streaming(), tls=lambda: None, address=UnixAddress(path))
    with plain_on_path, socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        connection.sendall(old())
        assert everything(connection).endswith(b"\r\n\r\nfirst last")


def test_an_expectation_is_ignored() -> None:
    """RFC 9110 §10.1.1."""
    sent = old(b"/v1/a", b"Content-Length: 5", b"Expect: 100-continue", method=b"POST") + b"hello"
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert answered(server, sent).startswith(b"HTTP/1.1 200 ")
        assert bytes(upstream.received[0]).endswith(b"hello")
