"""A request as it goes to an upstream: exactly the method and target that were received, or not at all.

What frames the body is decided here once more, whatever the server in front has let through: of two readings of one
head, the upstream could have the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.connection import CONNECTION, TARGET
from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope
from gateway.proxy.errors import UnforwardableError
from gateway.proxy.forwarded_headers import upstream_headers

#: RFC 9110 §9.2.1.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


#: A tunnel, and what would show a client the headers that its request had when it left us.
_NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`host`: of the Host header. `has_body`: whether one follows, in chunks if `headers` have no content-length."""

    method: str
    target: str
    host: str
    headers: list[tuple[str, str]]
    has_body: bool

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows what became of it."""
        return self.method in _SAFE and not self.has_body


def outgoing_from_scope(scope: Scope, *, xfcc: bool) -> Outgoing:
    """What is forwarded of an `http` or `websocket` scope. Raises UnforwardableError."""
    raw = scope["headers"]
    method = scope["method"] if scope["type"] == "http" else "GET"
    if method in _NEVER_FORWARDED or method != method.upper():
        raise UnforwardableError(f"the method {method[:40]!r} is not forwarded")
    version = scope.get("http_version", "1.1")
    if version not in {"1.0", "1.1"}:
        raise UnforwardableError(f"HTTP/{version} is not forwarded")
    has_body = _has_body(raw, version)
    if has_body and scope["type"] == "websocket":
        raise UnforwardableError("the request for a WebSocket has a body, which nobody would read")
    judged = scope.get(PEERGATE)
    judged = judged if isinstance(judged, Judged) else None
    headers = upstream_headers(
        raw,
        judged,
        _source(scope) if judged is None else judged.source,
        "https" if scope.get("scheme") in {"https", "wss"} else "http",
        xfcc=xfcc,
    )
    return Outgoing(method, _target(scope), _host(raw), headers, has_body)


def _target(scope: Scope) -> str:
    """Path and query, byte for byte; of an absolute form what follows its authority (RFC 9112 §3.2.1)."""
    extensions = scope.get("extensions")
    raw = extensions.get(TARGET) if isinstance(extensions, Mapping) else None
    if not isinstance(raw, bytes):
        query = scope.get("query_string")
        raw = scope["raw_path"] + (b"?" + query if query else b"")
    if not raw.startswith(b"/"):
        _, separator, rest = raw.partition(b"://")
        _, slash, path = rest.partition(b"/")
        raw = slash + path if separator else b""
    if not raw.startswith(b"/") or any(byte <= 0x20 or byte >= 0x7F for byte in raw):
        raise UnforwardableError("the target is not one that can be forwarded")
    return raw.decode("ascii")


def _host(headers: list[tuple[bytes, bytes]]) -> str:
    hosts = [value for name, value in headers if name.lower() == b"host"]
    if len(hosts) != 1:
        raise UnforwardableError(f"the request has {len(hosts)} Host headers")
    return hosts[0].decode("latin-1")


def _has_body(headers: list[tuple[bytes, bytes]], version: str) -> bool:
    """RFC 9112 §6.3: a length or chunks, and no doubt which."""
    lengths = [value for name, value in headers if name.lower() == b"content-length"]
    codings = [value for name, value in headers if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or len(codings) > 1 or codings[0].strip(b" \t").lower() != b"chunked" or version == "1.0":
            raise UnforwardableError("Transfer-Encoding is anything but a single `chunked`")
        return True
    if not lengths:
        return False
    if len(lengths) > 1 or not lengths[0].isdigit():
        raise UnforwardableError("Content-Length is not one number")
    return int(lengths[0]) > 0


def _source(scope: Scope) -> str | None:
    extensions = scope.get("extensions")
    facts: Any = extensions.get(CONNECTION) if isinstance(extensions, Mapping) else None
    client = facts.get("source") if isinstance(facts, Mapping) else scope.get("client")
    return client[0] if client else None
