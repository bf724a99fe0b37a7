"""Whatever a client does not do in time ends its connection, and nobody else's; and it holds no descriptor after."""

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from gateway.server import limits
from gateway.server.bounds import Bounds
from gateway.server.server import GatewayServer
from tests.gateway.server.world import Client, Recorder, asked, caller, eventually, everything, serving

#: Of the machine: other tests run beside this one, unless it is made with `make soak`.
_NOISE_SECONDS = 0.0005 if "PEERGATE_CROWD" in os.environ else 0.01
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nX-Half: "
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
HALF_BODY = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "HANDSHAKE_SECONDS": 1.5,
        "HEAD_SECONDS": 0.6,
        "BODY_WINDOW_SECONDS": 0.6,
        "UNREAD_SECONDS": 0.6,
        "CLOSE_SECONDS": 0.3,
        "LOOK_SECONDS": 0.05,
    }.items():
        monkeypatch.setattr(limits, name, seconds)


def seconds_until_cut(connection: socket.socket) -> float:
    began = time.monotonic()
    with suppress(ConnectionResetError):
        everything(connection)
    return time.monotonic() - began


def seconds_of_dripping(connection: socket.socket) -> float:
    """For how long a client may send a body byte by byte."""
    began = time.monotonic()
    connection.settimeout(0.2)
    with suppress(OSError):
        while True:
            with suppress(TimeoutError):
                connection.send(b"x")
                if not connection.recv(65536):
                    break
    return time.monotonic() - began


def test_a_client_that_asks_nothing_is_cut() -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        assert 0.4 < seconds_until_cut(connection) < 2


def test_half_a_head_is_answered_with_408() -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        connection.sendall(HALF_HEAD)
        assert everything(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("drip", [b"a", b"\r\n"])
def test_a_head_that_comes_byte_by_byte_is_cut_at_the_same_time(drip: bytes) -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        assert asked(connection)
        connection.sendall(b"\r\n" if drip == b"\r\n" else HALF_HEAD)
        assert dripped_until_cut(connection, drip) < 2


def dripped_until_cut(connection: ssl.SSLSocket, drip: bytes) -> float:
    began = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() - began < 5:
        try:
            connection.sendall(drip)
            if not connection.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


def test_a_body_that_comes_byte_by_byte_is_cut() -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        connection.sendall(HALF_BODY)
        assert dripped_until_cut(connection, b"x") < 2.5


def test_a_body_that_is_slow_but_steady_is_taken() -> None:
    with serving(Recorder()) as server, caller().connected(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 24000\r\n\r\n")
        for _ in range(10):
            time.sleep(0.15)
            connection.sendall(b"x" * 2400)
        assert everything(connection).endswith(b"24000")


def test_a_body_is_not_waited_for_while_it_is_the_application_that_does_not_read() -> None:
    class Slow(Recorder):
        async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
            import asyncio

            if scope["type"] == "http":
                await asyncio.sleep(1.5)
            await super().__call__(scope, receive, send)

    size = 1_000_000
    with serving(Slow()) as server, caller().connected(server) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size)
        connection.sendall(b"x" * size)
        assert everything(connection).endswith(str(size).encode())


def test_a_client_that_waits_to_be_told_to_continue_is_not_cut() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    with serving(Recorder()) as server, caller().connected(server) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(b"x")
        assert everything(connection).endswith(b"1")


def test_an_idle_connection_is_kept_for_its_time_and_not_longer() -> None:
    with serving(Recorder(), Bounds(idle_seconds=0.8)) as server, caller().connected(server) as connection:
        assert asked(connection)
        assert 0.6 < seconds_until_cut(connection) < 2


def test_a_client_that_reads_nothing_is_cut() -> None:
    class Endless(Recorder):
        async def __call__(self, scope: dict[str, object], receive: object, send: Callable[..., object]) -> None:
            if scope["type"] == "lifespan":
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[misc]
            for _ in range(100_000):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})  # type: ignore[misc]

    with serving(Endless()) as server, caller().connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(lambda: server.caps.count == 0)


def test_an_old_connection_ends_with_its_next_answer() -> None:
    with serving(Recorder(), Bounds(max_age_seconds=0.5)) as server, caller().connected(server) as connection:
        deadline = time.monotonic() + 3
        for _ in range(1000):
            if not asked(connection):
                break
            time.sleep(0.02)
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * limits.MAX_HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (4 * limits.MAX_HEAD_BYTES), 431),
        (b"GET /" + b"x" * limits.MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (limits.MAX_HEADERS + 1) + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413),
        (CHUNKED + b"3e9\r\n" + b"x" * 1001, 413),
        (CHUNKED + b"0\r\nt: " + b"x" * 4 * limits.MAX_HEAD_BYTES, 431),
    ],
)
def test_what_is_too_large_is_refused(sent: bytes, status: int) -> None:
    with serving(Recorder(), Bounds(max_body_bytes=1000)) as server, caller().connected(server) as connection:
        connection.sendall(sent)
        assert connection.recv(100).startswith(b"HTTP/1.1 %d " % status)


@contextmanager
def crowd(server: GatewayServer, each: int) -> Iterator[tuple[list[socket.socket], list[socket.socket]]]:
    """Those that stall: silent TCP (five for two of each other kind), silent TLS, half a head; and those that drip."""
    with ExitStack() as held:
        there: list[socket.socket] = [held.enter_context(Client().raw(server)) for _ in range(each * 5 // 2)]
        made = caller().context()
        dripping: list[socket.socket] = []
        for sent in (b"", HALF_HEAD, HALF_BODY):
            for _ in range(each):
                raw = held.enter_context(Client().raw(server))
                wrapped = held.enter_context(made.wrap_socket(raw, server_hostname="localhost"))
                wrapped.sendall(sent)
                (dripping if sent == HALF_BODY else there).append(wrapped)
        yield there, dripping


@contextmanager
def drips(clients: list[socket.socket]) -> Iterator[None]:
    """Each of `clients` sends a byte a second, as long as it is let."""
    over = threading.Event()

    def send() -> None:
        while True:
            for client in clients:
                if over.wait(1 / len(clients)):
                    return
                with suppress(OSError):
                    client.send(b"x")

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def latencies(server: GatewayServer, count: int) -> list[float]:
    found = []
    with caller().connected(server) as connection:
        for _ in range(count):
            began = time.perf_counter()
            assert asked(connection)
            found.append(time.perf_counter() - began)
            time.sleep(0.001)
    return sorted(found)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names are all that is asked


def test_a_crowd_that_stalls_is_cut_in_time_and_slows_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    each = int(os.environ.get("PEERGATE_CROWD", "40"))
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 4.0)
    monkeypatch.setattr(limits, "HEAD_SECONDS", 4.0)
    monkeypatch.setattr(limits, "BODY_WINDOW_SECONDS", 4.0)
    with serving(Recorder(), Bounds(max_address_connections=10_000)) as server:
        alone = latencies(server, 500)
        eventually(lambda: server.caps.count == 0)
        before = descriptors()
        with crowd(server, each) as (there, dripping):
            with drips(dripping):
                beside = latencies(server, 500)
            ended: list[float] = []
            threads = [threading.Thread(target=lambda c=c: ended.append(seconds_until_cut(c))) for c in there]
            threads += [threading.Thread(target=lambda c=c: ended.append(seconds_of_dripping(c))) for c in dripping]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
            assert len(ended) == each * 5 // 2 + 3 * each
            assert max(ended) < 6
        assert eventually(lambda: descriptors() <= before)
        assert beside[494] <= 2 * alone[494] + _NOISE_SECONDS, (alone[494], beside[494])
        assert eventually(lambda: server.caps.count == 0)
