"""Bodies flow both ways as they come, no faster than the other side takes them; what breaks off looks broken."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.proxy.test_websocket import Switch, other_policy
from tests.gateway.proxy.upstream import RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.gateway.server.world import Client, billing, eventually, everything

MEBIBYTE = 1024 * 1024
#: Far more than all buffers on the way hold together.
BIG = 96 * MEBIBYTE


def resident() -> int:
    """Bytes of memory that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_part_of_an_answer_arrives_before_the_next_is_written() -> None:
    go_on = threading.Event()

    def events(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: 1\n\n"
        )
        go_on.wait(10)
        connection.sendall(b"data: 2\n\n")
        connection.shutdown(socket.SHUT_WR)

    with (
        RecordingUpstream(events) as upstream,
        proxying(upstream.url) as server,
        Client(billing()).connected(server) as connection,
    ):
        connection.sendall(request())
        got = b""
        while b"data: 1" not in got:
            got += connection.recv(4096)
        go_on.set()
        assert b"data: 2" in everything(connection)


def test_a_part_of_a_request_arrives_before_the_next_is_sent() -> None:
    head = request(headers=[b"Transfer-Encoding: chunked"], method=b"POST")
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(head + b"5\r\nfirst\r\n")
            assert eventually(lambda: any(b"first" in bytes(data) for data in upstream.received))
            connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
            assert status_of(everything(connection)) == 200
        assert b"transfer-encoding: chunked" in upstream.heads[0].lower()


def test_a_request_with_a_length_keeps_it() -> None:
    sent = request(headers=[b"Content-Length: 5"], method=b"PUT", body=b"hello")
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, sent)) == 200
        assert bytes(upstream.received[0]).endswith(b"\r\n\r\nhello")
        assert upstream.headers()["content-length"] == ["5"]


def test_a_big_answer_waits_for_a_slow_client_in_flat_memory() -> None:
    written = 0

    def big(connection: socket.socket, _head: bytes) -> None:
        nonlocal written
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % BIG)
        block = bytes(MEBIBYTE)
        while written < BIG:
            connection.sendall(block)
            written += MEBIBYTE

    with (
        RecordingUpstream(big) as upstream,
        proxying(upstream.url) as server,
        Client(billing()).connected(server) as connection,
    ):
        connection.sendall(request())
        connection.recv(1024)
        time.sleep(0.5)
        assert written < BIG // 2
        before, got = resident(), 0
        while more := connection.recv(MEBIBYTE):
            got += len(more)
        assert got > BIG - MEBIBYTE
        assert resident() - before < BIG // 4


def test_a_big_request_waits_for_a_slow_upstream_in_flat_memory() -> None:
    go_on = threading.Event()
    read = 0

    def slow(connection: socket.socket, _head: bytes) -> None:
        nonlocal read
        go_on.wait(10)
        while read < BIG - MEBIBYTE:
            read += len(connection.recv(MEBIBYTE))
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        while connection.recv(MEBIBYTE):
            pass

    sent = 0

    def send(connection: socket.socket) -> None:
        nonlocal sent
        block = bytes(MEBIBYTE)
        while sent < BIG:
            connection.sendall(block)
            sent += MEBIBYTE

    with (
        RecordingUpstream(slow) as upstream,
        proxying(upstream.url) as server,
        Client(billing()).connected(server) as connection,
    ):
        connection.sendall(request(headers=[b"Content-Length: %d" % BIG], method=b"POST"))
        sender = threading.Thread(target=send, args=(connection,))
        sender.start()
        time.sleep(0.7)
        assert sent < BIG // 2
        before = resident()
        go_on.set()
        sender.join(30)
        assert resident() - before < BIG // 4
        assert status_of(connection.recv(4096)) == 200


def test_an_expectation_is_answered_by_us_once_the_request_is_allowed() -> None:
    head = request(headers=[b"Content-Length: 5", b"Expect: 100-continue"], method=b"POST")
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(head)
            assert connection.recv(4096).startswith(b"HTTP/1.1 100")
            connection.sendall(b"hello")
            assert b"HTTP/1.1 200" in everything(connection)
        assert "expect" not in upstream.headers()


def test_an_expectation_of_what_is_denied_is_answered_with_the_denial() -> None:
    head = request(b"/other", [b"Content-Length: 5", b"Expect: 100-continue"], method=b"POST")
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, head)) == 403
        assert upstream.received == []


@pytest.mark.parametrize(
    "given",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
)
def test_an_answer_that_breaks_off_looks_broken_to_the_client(given: bytes) -> None:
    def break_off(connection: socket.socket, _head: bytes) -> None:
        head, _, body = given.partition(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(body)
        connection.shutdown(socket.SHUT_RDWR)

    with RecordingUpstream(break_off) as upstream, proxying(upstream.url, read_seconds=0.5) as server:
        answer = answered(server, request(close=False))
        assert status_of(answer) == 200
        assert not answer.endswith(b"0\r\n\r\n")


def test_a_request_that_breaks_off_looks_broken_to_the_upstream() -> None:
    head = request(headers=[b"Transfer-Encoding: chunked"], method=b"POST")
    with RecordingUpstream(lambda connection, head: None) as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(head + b"5\r\nfirst\r\n")
            assert eventually(lambda: any(b"first" in bytes(data) for data in upstream.received))
        time.sleep(0.3)
        assert not bytes(upstream.received[0]).endswith(b"0\r\n\r\n")


def test_a_client_that_goes_away_ends_the_exchange_with_the_upstream() -> None:
    ended = threading.Event()

    def wait(connection: socket.socket, _head: bytes) -> None:
        if connection.recv(1) == b"":
            ended.set()

    with RecordingUpstream(wait) as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(request())
            assert eventually(lambda: bool(upstream.heads))
        assert ended.wait(5)


@contextmanager
def stuck_upstream() -> Iterator[RecordingUpstream]:
    """It reads the head of a request and no more."""
    over = threading.Event()

    def stuck(_connection: socket.socket, _head: bytes) -> None:
        over.wait(30)

    with RecordingUpstream(stuck) as upstream:
        yield upstream
        over.set()


def held_connections(port: int) -> int:
    """How many connections to `port` somebody has open, less those that only the kernel knows of."""
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[9] != "0" for row in rows)


def send_big(connection: Any) -> None:
    """More than anybody takes, until nobody does."""
    with suppress(OSError):
        connection.sendall(request(headers=[b"Content-Length: %d" % BIG], method=b"POST") + bytes(BIG))


def test_an_upstream_that_takes_no_more_of_a_body_is_504_and_left() -> None:
    with stuck_upstream() as upstream, proxying(upstream.url, read_seconds=0.3) as server:
        with Client(billing()).connected(server) as connection:
            threading.Thread(target=send_big, args=(connection,), daemon=True).start()
            assert status_of(connection.recv(4096)) == 504
        assert eventually(lambda: held_connections(upstream.port) == 0)


def test_a_client_that_goes_away_while_its_body_is_not_taken_holds_no_connection_to_the_upstream() -> None:
    with stuck_upstream() as upstream, proxying(upstream.url, read_seconds=1) as server:
        with Client(billing()).connected(server) as connection:
            connection.settimeout(0.3)
            send_big(connection)
            assert held_connections(upstream.port) == 1
        assert eventually(lambda: held_connections(upstream.port) == 0)


def test_an_answer_before_the_request_is_whole_is_passed_on() -> None:
    given = b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    head = request(headers=[b"Content-Length: 1000000"], method=b"POST")
    with (
        RecordingUpstream(answering(given)) as upstream,
        proxying(upstream.url) as server,
        Client(billing()).connected(server) as connection,
    ):
        connection.sendall(head + b"begun")
        assert status_of(connection.recv(4096)) == 413


def test_a_stream_ends_within_five_seconds_when_the_policy_no_longer_allows_it() -> None:
    """Law 9, with the interval of the product: the answer stays incomplete, and the upstream is let go."""
    switch, let_go = Switch(), threading.Event()

    def endless(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        if connection.recv(1) == b"":
            let_go.set()

    with RecordingUpstream(endless) as upstream, proxying(upstream.url, live=switch) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(request())
            got = b""
            while b"first" not in got:
                got += connection.recv(4096)
            switch.current, began = other_policy(), time.monotonic()
            assert not everything(connection).endswith(b"0\r\n\r\n")
            assert time.monotonic() - began < 5
        assert let_go.wait(5)
