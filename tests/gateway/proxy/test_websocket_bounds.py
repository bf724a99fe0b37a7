"""A WebSocket message has a bound, both ways; one that is larger ends both sides with a code without a traceback."""

import base64
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha1
from typing import Any, cast

import pytest

from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.proxy.limits import MAX_MESSAGE_BYTES
from gateway.server import limits
from gateway.server.server import GatewayServer
from tests.gateway.proxy.test_websocket import opened, run, world
from tests.gateway.proxy.upstream import RecordingUpstream
from tests.gateway.proxy.world import proxying, request
from tests.gateway.server.world import Client, Recorder, billing, eventually, serving

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADE = [
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + base64.b64encode(bytes(16)),
]
_BINARY, _TEXT, _CONTINUED, _CLOSE = 2, 1, 0, 8


def frame(kind: int, payload: bytes, *, mask: bool = False, last: bool = True, length: int | None = None) -> bytes:
    """One frame; a mask of zeros leaves the payload as it is. `length`: what its head says."""
    size = len(payload) if length is None else length
    first, masked = (0x80 if last else 0) | kind, 0x80 if mask else 0
    head = struct.pack("!BB", first, masked | size) if size < 126 else struct.pack("!BBQ", first, masked | 127, size)
    return head + (bytes(4) if mask else b"") + payload


class Accepting:
    """What a `RecordingUpstream` does: accepts, sends `first`, and waits for a Close, or leaves at once."""

    def __init__(self, first: bytes = b"", *, leaves: bool = False) -> None:
        self.first = first
        self.leaves = leaves
        self.closed_with: list[int] = []

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        (key,) = [line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: ")]
        proof = base64.b64encode(sha1(key + _GUID).digest())
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-accept: " + proof + b"\r\n\r\n"
        )
        with suppress(OSError):
            connection.sendall(self.first)
        if self.leaves:
            connection.shutdown(socket.SHUT_RDWR)
            return
        # A client's frames are masked; of control frames the head and mask are six bytes.
        got = b""
        while more := connection.recv(65536):
            got += more
            if (at := got.find(b"\x88")) >= 0 and len(got) >= at + 8:
                mask, code = got[at + 2 : at + 6], got[at + 6 : at + 8]
                self.closed_with.append(int.from_bytes(bytes([code[0] ^ mask[0], code[1] ^ mask[1]]), "big"))
                return


@contextmanager
def upgraded(server: GatewayServer, *headers: bytes, tls: bool = True) -> Iterator[Any]:
    client = Client(billing())
    with client.connected(server) if tls else client.raw(server) as connection:
        connection.sendall(request(headers=[*_UPGRADE, *headers], close=False))
        assert head_of_answer(connection).startswith(b"HTTP/1.1 101 ")
        yield connection


def without_tls(upstream: RecordingUpstream, **settings: Any) -> AbstractContextManager[GatewayServer]:
    """A proxy of which one thread of a client may read while another sends; with one TLS object none may."""
    return serving(ReverseProxy([Destination.parse(upstream.url)], **settings), tls=lambda: None)


def head_of_answer(connection: Any) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        got += connection.recv(1)
    return got


def close_code(connection: Any) -> int:
    """The code of the Close that comes next, whatever comes before it in small frames."""
    stream = connection.makefile("rb")
    while True:
        head = stream.read(2)
        assert len(head) == 2, "the connection ended without a Close"
        payload = stream.read(head[1])
        if head[0] == 0x80 | _CLOSE:
            return int.from_bytes(payload[:2], "big")


def is_ended_within(connection: Any, seconds: float) -> bool:
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Lines of the log."""
    names = ("uvicorn", "peergate", "asyncio")
    return [record.getMessage() for record in caplog.records if record.name.startswith(names)]


#: What a Close may have in it -> the code that the upstream is told.
ODD_CLOSES = {
    "nothing": (b"", 1000),
    "half a code": (b"\x0f", None),
    "code 0": (struct.pack("!H", 0), None),
    "a code below the first": (struct.pack("!H", 999), None),
    "a code that is never sent": (struct.pack("!H", 1006), None),
    "the largest code": (struct.pack("!H", 65535), None),
    "a reason that is no text": (struct.pack("!H", 4002) + b"\xff\xfe", None),
    "a code of an application": (struct.pack("!H", 4999), 4999),
}


@pytest.mark.parametrize(("payload", "told"), ODD_CLOSES.values(), ids=ODD_CLOSES)
def test_whatever_a_client_closes_with_both_sides_end_and_the_upstream_is_told_a_code_that_there_is(
    payload: bytes, told: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Accepting()
    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server, upgraded(server) as connection:
        connection.sendall(frame(_CLOSE, payload, mask=True))
        assert is_ended_within(connection, 2)
        assert eventually(lambda: len(answer.closed_with) == 1)
    assert answer.closed_with[0] in ({told} if told else {1000, 1002, 1007})
    assert said(caplog) == []


TOO_LARGE = {
    "in one frame": frame(_BINARY, bytes(limits.MAX_MESSAGE_BYTES + 1), mask=True),
    "as text": frame(_TEXT, b"a" * (limits.MAX_MESSAGE_BYTES + 1), mask=True),
    "in frames": frame(_BINARY, bytes(limits.MAX_MESSAGE_BYTES), mask=True, last=False)
    + frame(_CONTINUED, b"a", mask=True),
}


@pytest.mark.parametrize("sent", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_message_of_a_client_that_is_too_large_closes_both_sides_with_1009(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Accepting()
    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server, upgraded(server) as connection:
        connection.sendall(sent)
        assert close_code(connection) == 1009
        assert eventually(lambda: answer.closed_with == [1009])
        connection.sendall(frame(_CLOSE, struct.pack("!H", 1009), mask=True))
        assert is_ended_within(connection, 2)
    assert said(caplog) == []


def test_a_message_without_end_is_closed_while_the_upstream_sends(caplog: pytest.LogCaptureFixture) -> None:
    answer = Accepting(frame(_TEXT, b"tick") * 20_000)
    with (
        RecordingUpstream(answer) as upstream,
        without_tls(upstream) as server,
        upgraded(server, tls=False) as connection,
    ):
        reader = threading.Thread(target=lambda: codes.append(close_code(connection)))
        codes: list[int] = []
        reader.start()
        with suppress(OSError):
            connection.sendall(frame(_BINARY, bytes(4 * limits.MAX_MESSAGE_BYTES), mask=True, length=1 << 40))
        reader.join(10)
        assert codes == [1009]
    assert said(caplog) == []


def test_a_client_that_does_not_answer_the_close_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.5)
    answer = Accepting()
    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server, upgraded(server) as connection:
        connection.sendall(TOO_LARGE["in one frame"])
        assert close_code(connection) == 1009
        assert is_ended_within(connection, 3)


def test_without_tls_the_close_is_not_overtaken_by_a_reset() -> None:
    with serving(Recorder(), tls=lambda: None) as server, upgraded(server, tls=False) as connection:
        connection.sendall(frame(_BINARY, bytes(2 * limits.MAX_MESSAGE_BYTES), mask=True))
        time.sleep(0.3)
        assert close_code(connection) == 1009


def test_a_message_of_an_upstream_that_is_too_large_closes_both_sides(caplog: pytest.LogCaptureFixture) -> None:
    answer = Accepting(frame(_BINARY, bytes(MAX_MESSAGE_BYTES + 1)))
    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server, upgraded(server) as connection:
        assert close_code(connection) == 1011
        assert eventually(lambda: answer.closed_with == [1009])
    (line,) = said(caplog)
    assert "a WebSocket message of more than 16777216 bytes" in line


def test_an_upstream_that_goes_away_without_a_close_does_not_look_as_if_it_had_closed() -> None:
    answer = Accepting(frame(_TEXT, b"a"), leaves=True)
    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server, upgraded(server) as connection:
        assert close_code(connection) == 1011


def test_an_upstream_that_takes_nothing_does_not_hold_the_connection_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = threading.Event()

    class Stuck(Accepting):
        def __call__(self, connection: socket.socket, head: bytes) -> None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with suppress(OSError):
                super().__call__(cast("socket.socket", _Deaf(connection, over)), head)

    with (
        RecordingUpstream(Stuck()) as upstream,
        without_tls(upstream, read_seconds=1.0) as server,
        upgraded(server, tls=False) as connection,
    ):
        sender = threading.Thread(target=lambda: _send_until_it_ends(connection))
        sender.start()
        try:
            assert close_code(connection) == 1011
        finally:
            connection.close()
            sender.join(10)
            over.set()
    assert "the upstream took nothing of a WebSocket for 1 s" in "".join(said(caplog))


def test_an_upstream_that_takes_a_message_slowly_gets_the_whole_of_it(caplog: pytest.LogCaptureFixture) -> None:
    size, taken, whole = 15 * 1024 * 1024, 0, threading.Event()

    class Slow(Accepting):
        def __call__(self, connection: socket.socket, head: bytes) -> None:
            super().__call__(cast("socket.socket", _Leisurely(connection)), head)

    class _Leisurely:
        def __init__(self, connection: socket.socket) -> None:
            self.sendall = connection.sendall
            self._connection = connection

        def recv(self, _: int) -> bytes:
            nonlocal taken
            while not whole.is_set() and (more := self._connection.recv(65536)):
                taken += len(more)
                if taken >= size:
                    whole.set()
                time.sleep(0.01)
            return b""

    with (
        RecordingUpstream(Slow()) as upstream,
        proxying(upstream.url, read_seconds=1.0) as server,
        upgraded(server) as connection,
    ):
        began = time.monotonic()
        connection.sendall(frame(_BINARY, bytes(size), mask=True))
        assert whole.wait(30), taken
        assert time.monotonic() - began > 2
    assert "took nothing" not in "".join(said(caplog))


class _Deaf:
    """A connection of which nothing is read."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self.sendall = connection.sendall
        self._over = over

    def recv(self, _: int) -> bytes:
        self._over.wait(20)
        return b""


def _send_until_it_ends(connection: Any) -> None:
    with suppress(OSError, ValueError):
        for _ in range(200):
            connection.sendall(frame(_BINARY, bytes(256 * 1024), mask=True))


def test_nothing_is_compressed_as_it_would_be_unpacked_before_its_size_is_known() -> None:
    offered = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    with serving(Recorder()) as server, Client(billing()).connected(server) as connection:
        connection.sendall(request(headers=[*_UPGRADE, offered], close=False))
        head = head_of_answer(connection).lower()
        assert head.startswith(b"http/1.1 101 ")
        assert b"sec-websocket-extensions" not in head


def test_an_upgrade_over_http_1_0_is_refused() -> None:
    """RFC 9110 §7.8."""
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(request(headers=_UPGRADE, close=False).replace(b"HTTP/1.1", b"HTTP/1.0"))
            assert head_of_answer(connection).startswith(b"HTTP/1.1 400 ")
        assert upstream.received == []


def test_a_message_of_just_the_bound_goes_both_ways() -> None:
    big = os.urandom(MAX_MESSAGE_BYTES)

    async def scene(server: GatewayServer) -> bytes:
        async with opened(server, max_msg_size=0) as connection:
            await connection.send_bytes(big)
            return await connection.receive_bytes()

    with world() as (_, server):
        assert run(scene(server)) == big
