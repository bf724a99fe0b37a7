"""A connection to an upstream serves one caller after another: no answer of one reaches the next."""

import asyncio
import resource
import socket
import threading
import time

import pytest

from gateway.proxy.client import UpstreamClient
from gateway.proxy.destination import Destination
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.upstream_tls import UpstreamTls, UpstreamTlsFiles
from tests.gateway.proxy.upstream import OK, RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.support.connections import connections_closed

EVIL = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"

#: What an upstream sends for one request, in pieces.
UNASKED = {
    "another answer": [OK, EVIL],
    "an answer in two pieces": [OK, b"HTTP/1.1 200 OK\r\nx-a: b", b"\r\n" + EVIL],
    "an answer after a part of its head": [OK, b"HTTP/1.1 2", EVIL],
    "the end and another answer in one piece": [HEAD + b"o", b"k" + EVIL],
    "the body and another answer in one piece": [HEAD, b"ok" + EVIL],
    "an answer after one without a body": [b"HTTP/1.1 204 No Content\r\n\r\n", EVIL],
    "a body of what has none": [b"HTTP/1.1 304 Not Modified\r\ncontent-length: 42\r\n\r\n", EVIL],
    "an interim answer": [OK, b"HTTP/1.1 103 Early Hints\r\n\r\n", EVIL],
    "blank lines": [OK, b"\r\n\r\n", EVIL],
}


@pytest.mark.parametrize("pieces", UNASKED.values(), ids=list(UNASKED))
def test_what_an_upstream_says_unasked_is_nobodys_answer(pieces: list[bytes]) -> None:
    asked = 0

    def answer(connection: socket.socket, _head: bytes) -> None:
        nonlocal asked
        asked += 1
        for piece in pieces if asked == 1 else [OK]:
            connection.sendall(piece)
            time.sleep(0.05)

    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request())) in {200, 204, 304}
        time.sleep(0.3)
        for _ in range(3):
            assert answered(server, request()).endswith(b"\r\n\r\nok")


def test_a_connection_over_which_nothing_else_came_is_used_again() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        for _ in range(3):
            assert status_of(answered(server, request())) == 200
        assert len(upstream.received) == 1


def test_the_connection_that_was_used_last_is_used_again_first() -> None:
    together = threading.Barrier(3)

    def answer(connection: socket.socket, head: bytes) -> None:
        if b"/v1/together" in head:
            together.wait(5)
        connection.sendall(OK)

    with RecordingUpstream(answer) as upstream, proxying(upstream.url) as server:
        asking = [threading.Thread(target=answered, args=(server, request(b"/v1/together"))) for _ in range(3)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        for _ in range(6):
            assert status_of(answered(server, request())) == 200
        assert sorted(data.count(b" HTTP/1.1") for data in upstream.received) == [1, 1, 7]


@pytest.mark.parametrize("status", [b"099", b"101", b"600", b"999"])
def test_an_answer_of_no_final_status_is_502(status: bytes) -> None:
    given = b"HTTP/1.1 " + status + b" X\r\nupgrade: x\r\nconnection: upgrade\r\ncontent-length: 0\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        answer = answered(server, request())
        assert status_of(answer) == 502
        assert b'"error":"upstream_failed"' in answer


def test_an_answer_that_tells_the_length_of_what_it_does_not_send_keeps_the_connection() -> None:
    given = b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\nContent-Length: 42\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        assert answered(server, request(close=False) + request()).count(b"HTTP/1.1 304") == 2


def test_requests_that_wait_for_their_answers_keep_no_other_from_the_upstream() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    opened: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        opened.add(writer)
        if not head.startswith(b"GET /stall "):
            writer.write(OK)

    async def asked(client: UpstreamClient, destination: Destination, target: str) -> int:
        outgoing = Outgoing("GET", target, "a", [(b"host", b"a")], has_body=False)
        return (await client.ask(destination, outgoing, None)).status

    async def asking() -> int:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
        client = UpstreamClient(UpstreamTls(UpstreamTlsFiles(), frozenset()))
        destination = Destination.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        stalled = [asyncio.ensure_future(asked(client, destination, "/stall")) for _ in range(1100)]
        while len(opened) < len(stalled):
            await asyncio.sleep(0.01)
        try:
            return await asked(client, destination, "/v1/a")
        finally:
            for one in stalled:
                one.cancel()
            await asyncio.gather(*stalled, return_exceptions=True)
            await client.close()
            for writer in opened:
                writer.transport.abort()
            server.close()
            await connections_closed()

    assert asyncio.run(asyncio.wait_for(asking(), 30)) == 200
