"""What is forwarded of a request, and that remembering the names of headers never remembers their values."""

from typing import Any

import pytest

from gateway.connection import CONNECTION
from gateway.proxy.errors import UnforwardableError
from gateway.proxy.forwarded_headers import CertificateHeaders
from gateway.proxy.outgoing import Outgoing, outgoing_from_scope

HOST = (b"host", b"a.example")


def outgoing(*headers: tuple[bytes, bytes], **changes: Any) -> Outgoing:
    scope = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "https",
        "raw_path": b"/a",
        "query_string": b"",
        "headers": list(headers),
        "extensions": {CONNECTION: {"source": ("192.0.2.1", 4711)}},
        **changes,
    }
    return outgoing_from_scope(scope, CertificateHeaders())


def names(found: Outgoing) -> list[str]:
    return [name for name, _ in found.headers if not name.startswith("x-forwarded-")]


def test_what_connection_lists_is_dropped_of_this_request_and_of_no_other_with_the_same_names() -> None:
    first = outgoing(HOST, (b"x-a", b"1"), (b"x-b", b"1"), (b"connection", b"x-a"))
    second = outgoing(HOST, (b"x-a", b"1"), (b"x-b", b"1"), (b"connection", b"X-B, close"))
    assert names(first) == ["host", "x-b"]
    assert names(second) == ["host", "x-a"]


def test_the_body_is_framed_by_the_values_of_this_request() -> None:
    length = b"content-length"
    assert [outgoing(HOST, (length, value)).has_body for value in (b"0", b"5", b"0")] == [False, True, False]
    with pytest.raises(UnforwardableError, match="not one number"):
        outgoing(HOST, (length, b"+5"))


@pytest.mark.parametrize(
    "framing",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"identity")],
    ],
)
def test_what_could_be_framed_in_two_ways_is_not_forwarded(framing: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(UnforwardableError):
        outgoing(HOST, *framing)


@pytest.mark.parametrize("hosts", [[], [HOST, HOST], [HOST, (b"Host", b"b.example")]])
def test_a_request_with_no_or_several_hosts_is_not_forwarded(hosts: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(UnforwardableError, match="Host headers"):
        outgoing(*hosts, (b"accept", b"*/*"))


@pytest.mark.parametrize("header", [(b"x-\xff", b"1"), (b"x-a", b"\xff")])
def test_a_header_that_is_not_utf8_is_not_forwarded(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(UnforwardableError, match="not UTF-8"):
        outgoing(HOST, header)


@pytest.mark.parametrize("path", [b"", b"a", b"/a b", b"/\x7f", b"/\xc3\xa4", b"/a\n", b"*"])
def test_a_target_with_what_no_target_has_is_not_forwarded(path: bytes) -> None:
    with pytest.raises(UnforwardableError, match="target"):
        outgoing(HOST, raw_path=path)


def test_the_upstream_is_told_who_called_and_how() -> None:
    told = dict(outgoing(HOST, (b"x-forwarded-for", b"203.0.113.9")).headers)
    assert (told["x-forwarded-for"], told["x-forwarded-proto"]) == ("192.0.2.1", "https")
