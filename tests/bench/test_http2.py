"""The HTTP/2 load client, against an independent implementation of HPACK and a real gRPC server."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hpack import Decoder

from bench.http1 import Http1Connection
from bench.http2 import Http2Connection, Http2Error, Http2Request, grpc_request, header_block


def until_idle(connection: Http1Connection | Http2Connection) -> None:
    connection.fill()
    while not connection.is_idle:
        connection.read()


@contextmanager
def grpc_server(path: Path, answer: bytes) -> Iterator[socket.socket]:
    """A server that answers every call with `answer`, and a socket that is connected to it."""
    server = grpc.server(ThreadPoolExecutor(2))
    method = grpc.unary_unary_rpc_method_handler(lambda message, _: answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("a.B", {"C": method}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    try:
        yield client
    finally:
        client.close()
        server.stop(0).wait()


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 5000])
def test_a_header_block_is_what_another_decoder_reads(length: int) -> None:
    fields = [(":method", "GET"), ("x", "v" * length)]
    decoded = Decoder(max_header_list_size=65_536).decode(header_block(fields))
    assert [(str(name), str(value)) for name, value in decoded] == fields


def test_answers_that_begin_as_wanted_are_counted(tmp_path: Path) -> None:
    with grpc_server(tmp_path / "s", b"\x0a\x00rest") as client:
        connection = Http2Connection(client, [grpc_request("/a.B/C", b"q")], streams=5, accepted=b"\x0a\x00")
        until_idle(connection)
        until_idle(connection)
    assert (connection.wanted, connection.unwanted) == (10, 0)


def test_other_answers_are_not_counted_as_wanted(tmp_path: Path) -> None:
    with grpc_server(tmp_path / "s", b"\x0a\x02\x08\x07") as client:
        connection = Http2Connection(client, [grpc_request("/a.B/C", b"q")], streams=3, accepted=b"\x0a\x00")
        until_idle(connection)
    assert (connection.wanted, connection.unwanted) == (0, 3)


def test_an_error_status_of_grpc_is_not_a_wanted_answer(tmp_path: Path) -> None:
    with grpc_server(tmp_path / "s", b"\x0a\x00") as client:
        connection = Http2Connection(client, [grpc_request("/a.B/Missing", b"q")], streams=1, accepted=b"\x0a\x00")
        until_idle(connection)
    assert (connection.wanted, connection.unwanted) == (0, 1)


def test_more_is_sent_than_the_first_window_of_the_server_holds(tmp_path: Path) -> None:
    with grpc_server(tmp_path / "s", b"\x0a\x00") as client:
        connection = Http2Connection(client, [grpc_request("/a.B/C", bytes(9_000))], streams=20, accepted=b"\x0a\x00")
        for _ in range(3):
            until_idle(connection)
    assert connection.wanted > 20


def test_another_implementation_receives_the_request_that_was_meant() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/"), ("a", "b")]
        Http2Connection(ours, [Http2Request(header_block(fields))], streams=1, accepted=b"").fill()
        server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        server.initiate_connection()
        events = server.receive_data(theirs.recv(65_536))
    (received,) = [event for event in events if isinstance(event, RequestReceived)]
    assert [(str(name), str(value)) for name, value in received.headers] == fields
    assert received.stream_ended is not None


def test_a_connection_that_the_server_ends_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Http2Connection(ours, [Http2Request(b"\x82")], streams=1, accepted=b"")
        server = H2Connection(H2Configuration(client_side=False))
        server.initiate_connection()
        server.close_connection()
        theirs.sendall(server.data_to_send())
        with pytest.raises(Http2Error, match="GOAWAY"):
            connection.read()


def test_a_request_that_does_not_fit_into_a_frame_is_refused() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ValueError, match="frames"):
        Http2Connection(ours, [Http2Request(bytes(16_385))], streams=1, accepted=b"")


def answered(answer: bytes) -> Http1Connection:
    """A connection of HTTP/1.1 to a server that gives this answer to one request."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            theirs.recv(100)
            theirs.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    connection = Http1Connection(ours, [b"GET / HTTP/1.1\r\n\r\n"])
    try:
        until_idle(connection)
    finally:
        thread.join()
        ours.close()
    return connection


def test_over_http1_a_200_without_a_body_is_wanted() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").wanted == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200",
        b"",
    ],
)
def test_over_http1_everything_else_is_an_error(answer: bytes) -> None:
    with pytest.raises(ConnectionError):
        answered(answer)
