"""Requests that a client sends before it has the answer to the one before: none is forgotten, and none outlives it."""

import asyncio
import socket
import struct
import threading
import time
from typing import Any

import pytest

from gateway.server.websocket import GatewayWebSocket
from tests.gateway.server.world import Client, Recorder, caller, eventually, everything, serving

FIRST = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
WEBSOCKET = (
    b"GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Endless:
    """Answers the first request until the client is gone, and every other at once."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.sent = 0
        self.told = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.paths.append(scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await receive()
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/first":
            watch = asyncio.ensure_future(_gone(receive))
            while not watch.done():
                await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
                self.sent += 1000
                await asyncio.sleep(0.001)
            self.told.set()
            return
        await send({"type": "http.response.body", "body": b"done"})


async def _gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("following", [b"", SECOND, SECOND * 3])
def test_an_answer_ends_with_its_client_whatever_else_was_asked(following: bytes) -> None:
    app = Endless()
    with serving(app) as server:
        with caller().connected(server) as connection:
            connection.sendall(FIRST + following)
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert app.told.wait(5)
        assert app.paths == ["/first"]


def test_an_answer_ends_with_what_is_refused_after_it(caplog: pytest.LogCaptureFixture) -> None:
    app = Endless()
    with serving(app) as server, caller().connected(server) as connection:
        connection.sendall(FIRST)
        connection.recv(1000)
        connection.sendall(b"no request\r\n\r\n")
        assert app.told.wait(5)
        everything(connection)
    assert "SSL connection is closed" not in caplog.text


def test_a_websocket_is_not_opened_within_another_answer() -> None:
    app = Endless()
    with serving(app) as server, caller().connected(server) as connection:
        connection.sendall(FIRST + WEBSOCKET)
        assert b"HTTP/1.1 101" not in everything(connection)
        assert app.told.wait(5)
    assert app.paths == ["/first"]


def test_a_websocket_is_opened_after_another_answer() -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        connection.sendall(FIRST)
        assert everything_until(connection, b"\r\n\r\n0")
        connection.sendall(WEBSOCKET)
        assert everything_until(connection, b"HTTP/1.1 101")


def test_of_the_pings_of_a_client_that_does_not_read_only_the_last_is_answered_once_it_does() -> None:
    with serving(Recorder()) as server, _opened(server, caller()) as connection:
        (protocol,) = server._server.server_state.connections
        assert isinstance(protocol, GatewayWebSocket)
        protocol.loop.call_soon_threadsafe(protocol.pause_writing)
        assert eventually(lambda: not protocol.writable.is_set())
        for _ in range(100):
            connection.sendall(_ping(b"many"))
        connection.sendall(_ping(b"last"))
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        protocol.loop.call_soon_threadsafe(protocol.resume_writing)
        assert connection.recv(4096) == b"\x8a\x04last"
        connection.sendall(_ping(b"then"))
        assert connection.recv(4096) == b"\x8a\x04then"


def test_a_websocket_after_an_answer_that_nobody_has_read_waits_for_its_client() -> None:
    sent = 0

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal sent
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while sent < 100_000_000:
                await send({"type": "websocket.send", "bytes": bytes(100_000)})
                sent += 100_000
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(16_000_000), "more_body": True})
            await send({"type": "http.response.body", "body": bytes(2_000_000)})

    with serving(app) as server, caller().connected(server) as connection:
        connection.sendall(FIRST)
        time.sleep(0.3)
        connection.sendall(WEBSOCKET)
        assert not eventually(lambda: sent > 20_000_000, 1.5)


def _ping(payload: bytes) -> bytes:
    return b"\x89\x84\x00\x00\x00\x00" + payload


def _opened(server: Any, client: Client) -> Any:
    connection = client.connected(server)
    connection.sendall(WEBSOCKET)
    assert b"HTTP/1.1 101" in connection.recv(4096)
    return connection


def everything_until(connection: Any, end: bytes) -> bytes:
    """What comes until `end`, which is within the last piece; nothing if it never comes."""
    data = bytearray()
    while end not in data[-70_000:]:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    return bytes(data)
