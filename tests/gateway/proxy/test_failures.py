"""An upstream that fails is named by a status and a word; what may be sent elsewhere is, and nothing is sent twice."""

import json
import logging
import socket
import threading

import pytest

from gateway.proxy import limits
from tests.gateway.proxy.upstream import OK, RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.gateway.server.world import Client, billing


def nobody() -> str:
    """The URL of a port that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def told(answer: bytes) -> tuple[int, str]:
    return status_of(answer), json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def hang_up(connection: socket.socket, _head: bytes) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def test_an_upstream_that_refuses_is_502() -> None:
    with proxying(nobody()) as server:
        assert told(answered(server, request())) == (502, "upstream_unreachable")


def test_an_upstream_that_hangs_up_is_502() -> None:
    with RecordingUpstream(hang_up) as upstream, proxying(upstream.url) as server:
        assert told(answered(server, request())) == (502, "upstream_failed")


@pytest.mark.parametrize(
    "given",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_is_502(given: bytes) -> None:
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        assert told(answered(server, request())) == (502, "upstream_failed")


def test_an_upstream_that_says_nothing_is_504() -> None:
    with (
        RecordingUpstream(lambda connection, head: None) as upstream,
        proxying(upstream.url, read_seconds=0.3) as server,
    ):
        assert told(answered(server, request())) == (504, "upstream_timeout")


def test_a_host_without_an_upstream_is_503() -> None:
    with proxying("other.example=http://127.0.0.1:1") as server:
        assert told(answered(server, request())) == (503, "no_upstream")


def test_the_log_says_which_upstream_and_why(caplog: pytest.LogCaptureFixture) -> None:
    url = nobody()
    with caplog.at_level(logging.WARNING), proxying(url) as server:
        answered(server, request())
    (record,) = [record for record in caplog.records if record.name == "peergate.proxy"]
    assert url in record.facts["error"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
def test_what_was_not_sent_goes_to_another_endpoint(method: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(nobody(), upstream.url) as server:
        answers = [answered(server, request(method=method)) for _ in range(3)]
        assert [status_of(answer) for answer in answers] == [200, 200, 200]


def test_a_body_goes_to_another_endpoint_too_if_none_of_it_was_sent() -> None:
    sent = request(headers=[b"Content-Length: 5"], method=b"POST", body=b"hello")
    with RecordingUpstream() as upstream, proxying(nobody(), upstream.url) as server:
        assert [status_of(answered(server, sent)) for _ in range(2)] == [200, 200]
        assert all(bytes(data).endswith(b"hello") for data in upstream.received)


def test_a_safe_request_whose_connection_was_lost_is_repeated_once() -> None:
    seen = []

    def first_lost(connection: socket.socket, head: bytes) -> None:
        seen.append(head)
        (hang_up if len(seen) == 1 else answering(OK))(connection, head)

    with RecordingUpstream(first_lost) as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request())) == 200
    assert len(seen) == 2


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH"])
@pytest.mark.parametrize("warm", [False, True])
def test_a_request_that_changes_something_is_never_sent_twice(method: bytes, warm: bool) -> None:
    seen = []

    def lose(connection: socket.socket, head: bytes) -> None:
        if head.startswith(b"GET"):
            connection.sendall(OK)
            return
        seen.append(head)
        hang_up(connection, head)

    with RecordingUpstream(lose) as upstream, proxying(upstream.url, upstream.url) as server:
        if warm:
            answered(server, request())
        assert told(answered(server, request(method=method))) == (502, "upstream_failed")
    assert len(seen) == 1


def test_an_endpoint_that_could_not_be_reached_rests() -> None:
    down = nobody()
    with RecordingUpstream() as upstream, proxying(down, upstream.url) as server:
        for _ in range(2):
            answered(server, request())
        # From now on somebody listens there, but is not asked as long as the endpoint rests.
        with socket.create_server(("127.0.0.1", int(down.rpartition(":")[2]))) as listener:
            listener.settimeout(0.3)
            for _ in range(4):
                assert status_of(answered(server, request())) == 200
            with pytest.raises(TimeoutError):
                listener.accept()
    assert limits.REST_SECONDS > 1


def test_requests_are_shared_among_endpoints() -> None:
    with RecordingUpstream() as one, RecordingUpstream() as other, proxying(one.url, other.url) as server:
        for _ in range(6):
            answered(server, request())
        assert (len(one.heads), len(other.heads)) == (3, 3)


def test_host_and_longest_prefix_choose_the_upstream() -> None:
    with RecordingUpstream() as rest, RecordingUpstream() as host, RecordingUpstream() as prefix:
        with proxying(rest.url, f"h.example={host.url}", f"h.example/v1/a={prefix.url}") as server:
            for target in (b"/v1/a", b"/v1/%61/b", b"/v1/ab", b"/v1/"):
                answered(server, request(target))
            other = request().replace(b"h.example", b"other.example")
            answered(server, other)
        assert [head.split(b" ")[1] for head in prefix.heads] == [b"/v1/a", b"/v1/%61/b"]
        assert [head.split(b" ")[1] for head in host.heads] == [b"/v1/ab", b"/v1/"]
        assert len(rest.heads) == 1


def test_many_at_once_are_answered_each_with_its_own() -> None:
    def echo(connection: socket.socket, head: bytes) -> None:
        target = head.split(b" ")[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(target) + target)

    wrong = []

    def ask(server: object, number: int) -> None:
        target = b"/v1/%d" % number
        if not answered(server, request(target)).endswith(b"\r\n\r\n" + target):  # type: ignore[arg-type]
            wrong.append(target)

    with RecordingUpstream(echo) as upstream, proxying(upstream.url) as server:
        threads = [threading.Thread(target=ask, args=(server, number)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_an_error_of_the_upstream_itself_is_passed_on() -> None:
    given = b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        assert answered(server, request(), Client(billing())).endswith(b"busy")
