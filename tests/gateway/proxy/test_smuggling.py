"""Never two requests at the upstream for one, and never a header that was not judged: raw bytes, real parsers."""

import pytest

from tests.gateway.proxy.upstream import RecordingUpstream
from tests.gateway.proxy.world import answered, proxying, status_of

H = b"Host: h.example\r\n"
INNER = b"GET /v1/smuggled HTTP/1.1\r\nHost: h.example\r\n\r\n"


def post(*fields: bytes, body: bytes, line: bytes = b"POST /v1/a HTTP/1.1", end: bytes = b"\r\n") -> bytes:
    return end.join((line, b"Host: h.example", *fields, b"", b"")) + body


def websocket(*fields: bytes, body: bytes) -> bytes:
    upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return post(*upgrade, key, *fields, body=body, line=b"GET /v1/a HTTP/1.1")


CHUNKED = b"0\r\n\r\n" + INNER

#: Requests of which some reader could make two, or another one than was judged.
AMBIGUOUS = {
    "CL and TE": post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKED),
    "TE and CL": post(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKED),
    "two CL": post(b"Content-Length: 0", b"Content-Length: %d" % len(INNER), body=INNER),
    "two equal CL": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of CL": post(b"Content-Length: 5, 5", body=b"hello"),
    "a signed CL": post(b"Content-Length: +5", body=b"hello"),
    "a negative CL": post(b"Content-Length: -1", body=b"hello"),
    "a hex CL": post(b"Content-Length: 0x5", body=b"hello"),
    "an empty CL": post(b"Content-Length: ", body=INNER),
    "a CL of 30 digits": post(b"Content-Length: " + b"9" * 30, body=b"hello"),
    "a blank before the colon of CL": post(b"Content-Length : 5", body=b"hello"),
    "a blank before the colon of TE": post(b"Transfer-Encoding : chunked", body=CHUNKED),
    "TE identity": post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
    "TE of another name": post(b"Transfer-Encoding: xchunked", b"Content-Length: 5", body=CHUNKED),
    "TE chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKED),
    "TE chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=CHUNKED),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=CHUNKED),
    "TE with a tab": post(b"Transfer-Encoding:\tchunked", b"Content-Length: 4", body=CHUNKED),
    "TE with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", b"Content-Length: 4", body=CHUNKED),
    "TE quoted": post(b'Transfer-Encoding: "chunked"', b"Content-Length: 4", body=CHUNKED),
    "TE folded": post(b"Transfer-Encoding:\r\n chunked", b"Content-Length: 4", body=CHUNKED),
    "TE with an underscore": post(b"Transfer_Encoding: chunked", b"Content-Length: 0", body=b""),
    "TE after a bare LF": post(b"X: y\nTransfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKED),
    "TE after a bare CR": post(b"X: y\rTransfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKED),
    "TE after a NUL": post(b"X: y\0Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKED),
    "TE in HTTP/1.0": post(b"Transfer-Encoding: chunked", body=CHUNKED, line=b"POST /v1/a HTTP/1.0"),
    "bare LF throughout": post(b"Content-Length: 0", body=INNER, end=b"\n"),
    "a chunk size with a sign": post(b"Transfer-Encoding: chunked", body=b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of 0x": post(b"Transfer-Encoding: chunked", body=b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size that overflows": post(b"Transfer-Encoding: chunked", body=b"f" * 17 + b"5\r\nhello\r\n0\r\n\r\n"),
    "a chunk that ends with a bare LF": post(b"Transfer-Encoding: chunked", body=b"5\nhello\n0\n\n"),
    "a chunk that is longer than it says": post(b"Transfer-Encoding: chunked", body=b"1\r\nhello\r\n0\r\n\r\n"),
    "a chunk extension with a bare LF": post(b"Transfer-Encoding: chunked", body=b"5;x\nhello\r\n0\r\n\r\n"),
    "two Hosts": post(b"Host: other.example", b"Content-Length: 0", body=b""),
    "the same Host twice": post(b"Host: h.example", b"Content-Length: 0", body=b""),
    "a folded header": post(b"X: a\r\n\tb", b"Content-Length: 0", body=b""),
    "a fold before the first header": b"GET /v1/a HTTP/1.1\r\n X: y\r\n" + H + b"\r\n",
    "a header without a colon": post(b"Transfer-Encoding", b"Content-Length: 0", body=b""),
    "a header without a name": post(b": chunked", b"Content-Length: 0", body=b""),
    "a header name with a blank": post(b"X Y: z", b"Content-Length: 0", body=b""),
    "a request line with two targets": b"GET /v1/a /v1/b HTTP/1.1\r\n" + H + b"\r\n",
    "a request line with a tab": b"GET\t/v1/a\tHTTP/1.1\r\n" + H + b"\r\n",
    "HTTP/0.9": b"GET /v1/a\r\n\r\n",
    "HTTP/2.0": b"GET /v1/a HTTP/2.0\r\n" + H + b"\r\n",
    "HTTP/1.2": b"GET /v1/a HTTP/1.2\r\n" + H + b"\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade to h2c": post(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", body=b""
    ),
    "a WebSocket with a body": websocket(b"Content-Length: %d" % len(INNER), body=INNER),
    "a WebSocket with chunks": websocket(b"Transfer-Encoding: chunked", body=CHUNKED),
    "CONNECT": b"CONNECT h.example:443 HTTP/1.1\r\n" + H + b"\r\n",
    "TRACE": b"TRACE /v1/a HTTP/1.1\r\n" + H + b"\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\n" + H + b"\r\n",
    "a method in small letters": b"get /v1/a HTTP/1.1\r\n" + H + b"\r\n",
    "an absolute form of another host": b"GET http://other.example/v1/a HTTP/1.1\r\n" + H + b"\r\n",
    "an absolute form with a user": b"GET http://h.example@other.example/v1/a HTTP/1.1\r\n" + H + b"\r\n",
    "a request without Host": b"GET /v1/a HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a body of a GET": b"GET /v1/a HTTP/1.1\r\n" + H + b"Content-Length: %d\r\n\r\n" % len(INNER) + INNER,
    "a body of a GET without a length": b"GET /v1/a HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n" + INNER,
    "trailers that claim": post(
        b"Transfer-Encoding: chunked", body=b"0\r\nX-Peergate-Identity: evil-claim\r\nHost: other\r\n\r\n"
    ),
}


@pytest.mark.parametrize("sent", AMBIGUOUS.values(), ids=list(AMBIGUOUS))
def test_one_request_never_becomes_two(sent: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        # Whatever follows on the connection must not be answered as if it had been judged as something else.
        ended = sent if b"Connection: " in sent else sent.replace(H, H + b"Connection: close\r\n", 1)
        answer = answered(server, ended)
        assert answer.count(b"HTTP/1.1 200") <= 1
        lines = [head.partition(b"\r\n")[0] for head in _requests_at(upstream)]
        assert len(lines) <= 1
        assert all(line.split(b" ")[1] == b"/v1/a" for line in lines)
        assert not any(b"evil-claim" in bytes(data) for data in upstream.received)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in AMBIGUOUS
        if name
        not in {
            "TE with an underscore",
            "a body of a GET",
            "a body of a GET without a length",
            "trailers that claim",
            "a folded header",
            "TE folded",
        }
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(name: str) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answer = answered(server, AMBIGUOUS[name].replace(H, H + b"Connection: close\r\n", 1))
        assert status_of(answer) in {0, 400, 403, 405, 413, 431, 501, 505}
        assert upstream.heads == []


def test_two_requests_on_a_connection_are_two_at_the_upstream() -> None:
    first = b"GET /v1/a HTTP/1.1\r\n" + H + b"\r\n"
    second = b"GET /v1/b HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n"
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert answered(server, first + second).count(b"HTTP/1.1 200") == 2
        assert [head.split(b" ")[1] for head in upstream.heads] == [b"/v1/a", b"/v1/b"]


def test_a_denied_request_with_a_body_does_not_turn_its_body_into_a_request() -> None:
    sent = post(b"Content-Length: %d" % len(INNER), body=INNER, line=b"POST /denied HTTP/1.1")
    last = b"GET /v1/b HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n"
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, sent + last)
        assert b"smuggled" not in b"".join(upstream.heads)


def _requests_at(upstream: RecordingUpstream) -> list[bytes]:
    """Request heads by a lenient reader: whatever looks like a request line after a blank line."""
    found = []
    for data in upstream.received:
        text = bytes(data)
        head, _, rest = text.partition(b"\r\n\r\n")
        if head:
            found.append(head)
        if b"ontent-" not in head and b"ransfer-" not in head and b"HTTP/1." in rest:
            found.append(rest)
    return found


RING = b"GET /ring HTTP/1.1\r\n" + H + b"X-Ring: beta\r\n"


@pytest.mark.parametrize(
    "listed", [b"x-ring, close", b"close, X-Ring", b"close\t,\tx-ring ", b"close\r\nConnection: x-ring"]
)
def test_a_header_that_is_judged_cannot_be_kept_from_the_upstream(listed: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, RING + b"Connection: close\r\n\r\n")) == 200
        assert upstream.headers()["x-ring"] == ["beta"]
        assert status_of(answered(server, RING + b"Connection: " + listed + b"\r\n\r\n")) == 403
        assert len(upstream.heads) == 1


@pytest.mark.parametrize("twin", [b"X_Ring: prod", b"x_forwarded_for: 6.6.6.6", b"x_real_ip: 6.6.6.6"])
def test_the_upstream_gets_no_twin_of_a_header_that_it_would_take_for_another(twin: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, RING + twin + b"\r\nConnection: close\r\n\r\n")) == 200
        found = upstream.headers()
        assert (found["x-ring"], found["x-forwarded-for"]) == (["beta"], ["127.0.0.1"])
        assert "x-real-ip" not in found
