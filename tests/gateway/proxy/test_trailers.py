"""Trailers end at the gateway, in both directions: nobody judged them, and they never become headers or a request."""

import pytest

from tests.gateway.proxy.upstream import RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.gateway.server.world import caller, everything

CHUNKED = [b"Transfer-Encoding: chunked", b"Trailer: X-Sum, X-Peergate-Identity", b"TE: trailers"]
LAST = request(b"/v1/last")

#: What may follow the last chunk, up to the blank line.
TRAILERS = {
    "one": b"X-Sum: evil\r\n",
    "an identity header": b"X-Peergate-Identity: evil\r\nClient-Cert: :evil:\r\n",
    "another Host": b"Host: evil.example\r\n",
    "Connection": b"Connection: x-tenant, evil\r\n",
    "many": b"X-A: evil\r\n" * 150,
}
#: What is no trailer.
BROKEN = {
    "a request line": b"GET /v1/evil HTTP/1.1\r\nHost: h.example\r\n",
    "a length": b"Content-Length: 4\r\nX: evil\r\n",
    "a coding": b"Transfer-Encoding: chunked\r\nX: evil\r\n",
    "no colon": b"evil\r\n",
    "a bare LF": b"X: evil\nY: z\r\n",
    "a NUL": b"X: evil\0\r\n",
    "64 KiB": b"X: " + b"evil" * 20_000 + b"\r\n",
}


@pytest.mark.parametrize("trailers", TRAILERS.values(), ids=list(TRAILERS))
def test_trailers_of_a_request_reach_nobody_and_the_next_request_is_the_next(trailers: bytes) -> None:
    sent = request(headers=CHUNKED, method=b"POST", body=b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n", close=False)
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert answered(server, sent + LAST).count(b"HTTP/1.1 200") == 2
        arrived = b"".join(map(bytes, upstream.received))
    assert b"evil" not in arrived
    assert b"abc" in arrived
    assert b"\r\ntrailer:" not in arrived.lower()
    assert b"\r\nte:" not in arrived.lower()
    assert [head.split(b" ")[1] for head in upstream.heads if head.startswith((b"GET", b"POST"))][-1] == b"/v1/last"


@pytest.mark.parametrize("trailers", BROKEN.values(), ids=list(BROKEN))
def test_what_is_no_trailer_ends_the_connection_and_is_never_a_request(trailers: bytes) -> None:
    sent = request(headers=CHUNKED, method=b"POST", body=b"3\r\nabc\r\n0\r\n" + trailers + b"\r\n", close=False)
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, sent + LAST)
        arrived = b"".join(map(bytes, upstream.received))
    assert b"evil" not in arrived
    assert b"/v1/last" not in arrived


def chunked(trailers: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\n" + trailers + b"\r\n"
    )


@pytest.mark.parametrize("trailers", [b"x-sum: evil\r\n", b"set-cookie: evil=1\r\n", b"x: evil\r\n" * 90])
def test_trailers_of_an_answer_end_here_and_the_next_answer_is_the_next(trailers: bytes) -> None:
    with RecordingUpstream(answering(chunked(trailers))) as upstream, proxying(upstream.url) as server:
        answer = answered(server, request(close=False) + LAST)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"evil" not in answer
    assert b"trailer" not in answer.lower()
    assert answer.endswith(b"3\r\nabc\r\n0\r\n\r\n")
    assert len(upstream.received) == 1, "the connection to the upstream is used again"


@pytest.mark.parametrize("trailers", [b"content-length: 9\r\nx: evil\r\n", b"evil\r\n", b"x: evil\0\r\n"])
def test_what_is_no_trailer_of_an_answer_does_not_reach_the_client(trailers: bytes) -> None:
    with RecordingUpstream(answering(chunked(trailers))) as upstream, proxying(upstream.url) as server:
        assert b"evil" not in answered(server, request())


def test_a_request_hidden_in_what_follows_an_answer_is_not_taken_for_the_next_answer() -> None:
    """An upstream that says more than one answer is not listened to for the next request."""
    extra = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
    with RecordingUpstream(answering(chunked(b"x: y\r\n") + extra)) as upstream, proxying(upstream.url) as server:
        for _ in range(3):
            answer = answered(server, request())
            assert (status_of(answer), b"evil" in answer) == (200, False)


def test_trailers_of_a_request_that_is_denied_are_read_away() -> None:
    sent = request(b"/denied", CHUNKED, method=b"POST", body=b"0\r\nX: evil\r\n\r\n", close=False)
    with RecordingUpstream() as upstream, proxying(upstream.url) as server, caller().connected(server) as connection:
        connection.sendall(sent + LAST)
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 403")
        assert all(head.split(b" ")[1] == b"/v1/last" for head in upstream.heads)
