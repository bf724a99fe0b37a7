"""Blanks around the value of a header are no part of it (RFC 9110 §5.5): of a request as of one for a WebSocket."""

import pytest

from tests.gateway.proxy.test_websocket_bounds import Accepting, upgraded
from tests.gateway.proxy.upstream import RecordingUpstream
from tests.gateway.proxy.world import answered, proxying, request, status_of

NO_BREAK = "\N{NO-BREAK SPACE}".encode()
VALUES = {
    b" a": b"a",
    b" a ": b"a",
    b"\t\ta b \t": b"a b",
    b"a  b\t": b"a  b",
    b"": b"",
    b" \t ": b"",
    b" " + NO_BREAK + b"a" + NO_BREAK + b" ": NO_BREAK + b"a" + NO_BREAK,
}


def value_in(head: bytes) -> bytes:
    (line,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-a:")]
    return line[5:]


@pytest.mark.parametrize("written", VALUES)
def test_the_upstream_of_a_request_gets_the_value_without_them(written: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(headers=[b"X-A:" + written]))) == 200
        assert value_in(upstream.heads[0]) == VALUES[written]


@pytest.mark.parametrize("written", VALUES)
def test_the_upstream_of_a_websocket_gets_the_same(written: bytes) -> None:
    header = b"X-A:" + written
    with RecordingUpstream(Accepting()) as upstream, proxying(upstream.url) as server, upgraded(server, header):
        assert value_in(upstream.heads[0]) == VALUES[written]
