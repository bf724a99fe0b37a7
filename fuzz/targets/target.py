"""Paths and hosts: what has two readings must be refused (law 6)."""

from urllib.parse import quote, unquote

from fuzz.target import Target, require
from policies.engine.errors import RequestError
from policies.engine.host import canonical_host
from policies.engine.path import path_segments

_STRUCTURAL = frozenset("/\\%;?#\0")


def _check_path(data: bytes) -> None:
    # As `canonical_target` calls it: the query is cut off before.
    path = data.decode("utf-8", "surrogateescape").partition("?")[0]
    try:
        segments = path_segments(path)
    except RequestError:
        return
    require(path.isascii() and path.startswith("/"), "an accepted path is ASCII")
    apart = tuple(unquote(part, errors="strict") for part in path[1:].split("/"))
    require(segments == apart, "an accepted path is split first and decoded once")
    require(all(segments[:-1]) and not {".", ".."} & set(segments), "no segment is empty or a dot segment")
    require(not any(_STRUCTURAL & set(segment) for segment in segments), "no segment holds what splits or escapes")
    again = "/" + "/".join(quote(segment, safe="") for segment in segments)
    require(path_segments(again) == segments, "re-encoded, an accepted path is the same path")
    require("".join(f"/{segment}" for segment in segments) == unquote(path), "a reader that decodes first agrees")


def _check_host(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        host = canonical_host(text)
    except RequestError:
        return
    require(text.isascii(), "an accepted host is ASCII")
    require(host == host.lower() and not host.endswith("."), "a canonical host is lower case, without a last dot")
    require(canonical_host(host) == host, "a canonical host is canonical")
    require(canonical_host(f"{host}:8443") == host, "a port makes no other host")


PATH = Target(
    "path",
    "an accepted path has one decoding",
    (b"/", b"/v1/invoices", b"/a/b/", b"/v1/%41%20b/%E2%82%AC", b"/~a$&'()*+,=:@-_", b"/a/%2e%2e/b", b"/a%2fb"),
    _check_path,
    (
        *(
            b"%2e",
            b"%2f",
            b"%5c",
            b"%25",
            b"%00",
            b"%3b",
            b"%c0%af",
            b"%e2%80%a4",
            b"%EF%BC%8F",
            b"%u002f",
            b"..",
            b".",
        ),
        *(b"/", b"//", b";", b"\\", b"#", b"?", b"%", b"%4", b" ", b"%20", b"\xef\xbc\x8f", b"\xff", b"%ff", b"%C2%85"),
    ),
)
HOST = Target(
    "host",
    "an accepted host has one canonical form",
    (b"invoices.prod.svc", b"A.Example.:443", b"192.0.2.1:80", b"[2001:db8::1]:443", b"[::ffff:192.0.2.1]", b"_x-1.y"),
    _check_host,
    (b".", b"..", b":", b":0", b"[", b"]", b"::", b"%", b"@", b",", b"0x7f", b"1", b"xn--a", b"-", b"\xc3\xa4", b"\n"),
)
