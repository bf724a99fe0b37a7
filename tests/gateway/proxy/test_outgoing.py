"""What is forwarded of a request, and that remembering the names of headers never remembers their values."""

from typing import Any

import pytest

from gateway.connection import CONNECTION
from gateway.proxy.errors import UnforwardableError
from gateway.proxy.forwarded_headers import CertificateHeaders
from gateway.proxy.outgoing import Outgoing, outgoing_from_scope
from gateway.proxy.written_request import headers_from_outgoing

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


def names(found: Outgoing) -> list[bytes]:
    return [name for name, _ in found.headers if not name.startswith(b"x-forwarded-")]


def test_what_connection_lists_is_dropped_of_this_request_and_of_no_other_with_the_same_names() -> None:
    first = outgoing(HOST, (b"x-a", b"1"), (b"x-b", b"1"), (b"connection", b"x-a"))
    second = outgoing(HOST, (b"x-a", b"1"), (b"x-b", b"1"), (b"connection", b"X-B, close"))
    assert names(first) == [b"host", b"x-b"]
    assert names(second) == [b"host", b"x-a"]


def test_the_body_is_framed_by_the_values_of_this_request() -> None:
    length = b"content-length"
    assert [outgoing(HOST, (length, value)).has_body for value in (b"0", b"5", b"0")] == [False, True, False]
    for value in (b"+5", b"0" * 5000 + b"5", b"9" * 5000, b""):
        with pytest.raises(UnforwardableError, match="not one number"):
            outgoing(HOST, (length, value))


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


@pytest.mark.parametrize("name", [b"", b"x-\xff", b"x a", b"x:", b"x\r\ny", b":authority"])
def test_a_header_whose_name_is_none_is_not_forwarded(name: bytes) -> None:
    with pytest.raises(UnforwardableError, match="name"):
        outgoing(HOST, (name, b"1"))


@pytest.mark.parametrize("value", [b"1\r\nx-b: 2", b"1\nx-b: 2", b"1\r", b"\0"])
def test_a_value_that_would_end_its_line_is_not_forwarded(value: bytes) -> None:
    with pytest.raises(UnforwardableError, match="line break"):
        headers_from_outgoing(outgoing(HOST, (b"x-a", value)))


def test_a_value_goes_on_in_the_bytes_that_were_received_and_a_websocket_with_no_other() -> None:
    found = outgoing(HOST, (b"x-a", b"\xff\t"))
    assert (b"x-a", b"\xff\t") in found.headers
    with pytest.raises(UnforwardableError, match="not UTF-8"):
        found.texts()


@pytest.mark.parametrize(
    ("method", "framing", "sent"),
    [
        ("GET", [], []),
        ("POST", [], [(b"content-length", b"0")]),
        ("DELETE", [], [(b"content-length", b"0")]),
        ("GET", [(b"content-length", b"0")], [(b"content-length", b"0")]),
        ("POST", [(b"content-length", b"5")], [(b"content-length", b"5")]),
        ("POST", [(b"transfer-encoding", b"Chunked")], [(b"transfer-encoding", b"chunked")]),
    ],
)
def test_a_body_is_framed_once(
    method: str, framing: list[tuple[bytes, bytes]], sent: list[tuple[bytes, bytes]]
) -> None:
    found = outgoing(HOST, *framing, method=method).headers
    assert [header for header in found if header[0] in (b"content-length", b"transfer-encoding")] == sent


@pytest.mark.parametrize("path", [b"", b"a", b"/a b", b"/\x7f", b"/\xc3\xa4", b"/a\n", b"*"])
def test_a_target_with_what_no_target_has_is_not_forwarded(path: bytes) -> None:
    with pytest.raises(UnforwardableError, match="target"):
        outgoing(HOST, raw_path=path)


def test_the_upstream_is_told_who_called_and_how() -> None:
    told = dict(outgoing(HOST, (b"x-forwarded-for", b"203.0.113.9")).headers)
    assert (told[b"x-forwarded-for"], told[b"x-forwarded-proto"]) == (b"192.0.2.1", b"https")
