"""A request as it goes to an upstream: exactly the method and target that were received, or not at all.

What frames the body is decided here once more, whatever the server in front has let through: of two readings of one
head, the upstream could have the other.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.connection import CONNECTION, TARGET
from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope
from gateway.proxy.errors import UnforwardableError
from gateway.proxy.forwarded_headers import CertificateHeaders, upstream_headers
from gateway.proxy.request_head import RawHeaders, RequestHead, request_head_from_raw
from runtime.hops import address_from_text, canonical_address

#: RFC 9110 §9.2.1.
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: Visible ASCII (RFC 9112 §3.2.1 allows less; what is allowed was judged).
_FORWARDED_TARGET = re.compile(rb"/[\x21-\x7e]*")
_SECURE = ("https", "wss")
_VERSIONS = ("1.1", "1.0")
#: More bytes than anybody has; Python refuses to read thousands of digits.
_MAX_LENGTH_DIGITS = 19
#: A tunnel, and what would show a client the headers that its request had when it left us.
_NEVER_FORWARDED = frozenset({"CONNECT", "TRACE"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`headers`: all, those that frame the body, too. `host`: of the Host header. `has_body`: whether one follows.

    `content_length`: bytes of the body, in digits; None if it comes in chunks, or there is none.
    """

    method: str
    target: str
    host: str
    headers: list[tuple[bytes, bytes]]
    has_body: bool
    content_length: str | None = None

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again when nobody knows what became of it."""
        return self.method in _SAFE and not self.has_body

    def texts(self) -> list[tuple[str, str]]:
        """The headers. Raises UnforwardableError for one that is not UTF-8: it would arrive as another one."""
        try:
            return [(name.decode(), value.decode()) for name, value in self.headers]
        except UnicodeDecodeError:
            raise UnforwardableError("a header is not UTF-8, so a WebSocket cannot be opened with it") from None


def outgoing_from_scope(scope: Scope, told: CertificateHeaders) -> Outgoing:
    """What is forwarded of an `http` or `websocket` scope; `told`: of the certificate. Raises UnforwardableError."""
    raw = scope["headers"]
    method = scope["method"] if scope["type"] == "http" else "GET"
    if method in _NEVER_FORWARDED or method != method.upper():
        raise UnforwardableError(f"the method {method[:40]!r} is not forwarded")
    version = scope.get("http_version", "1.1")
    if version not in _VERSIONS:
        raise UnforwardableError(f"HTTP/{version} is not forwarded")
    head = request_head_from_raw(raw)
    judged = scope.get(PEERGATE)
    judged = judged if isinstance(judged, Judged) else None
    scheme = b"https" if scope.get("scheme") in _SECURE else b"http"
    headers = upstream_headers(raw, head, judged, _source(scope, judged), scheme, told)
    has_body = bool(head.lengths or head.codings) and _has_body(raw, head, version)
    if has_body and scope["type"] == "websocket":
        raise UnforwardableError("the request for a WebSocket has a body, which nobody would read")
    if len(head.hosts) != 1:
        raise UnforwardableError(f"the request has {len(head.hosts)} Host headers")
    length = None
    if head.lengths:
        length = raw[head.lengths[0]][1].decode("ascii")
    elif has_body:
        headers.append((b"transfer-encoding", b"chunked"))
    elif method not in _SAFE:
        # Some servers wait for a body where nothing says that there is none (RFC 9110 §8.6).
        headers.append((b"content-length", b"0"))
    host = raw[head.hosts[0]][1].decode("latin-1")
    return Outgoing(method, _target(scope), host, headers, has_body, length)


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
    if _FORWARDED_TARGET.fullmatch(raw) is None:
        raise UnforwardableError("the target is not one that can be forwarded")
    return raw.decode("ascii")


def _has_body(headers: RawHeaders, head: RequestHead, version: str) -> bool:
    """RFC 9112 §6.3: a length or chunks, and no doubt which."""
    if head.codings:
        coding = headers[head.codings[0]][1].strip(b" \t").lower()
        if head.lengths or len(head.codings) > 1 or coding != b"chunked" or version == "1.0":
            raise UnforwardableError("Transfer-Encoding is anything but a single `chunked`")
        return True
    length = headers[head.lengths[0]][1]
    if len(head.lengths) > 1 or not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS:
        raise UnforwardableError(f"Content-Length is not one number of up to {_MAX_LENGTH_DIGITS} digits")
    return int(length) > 0


def _source(scope: Scope, judged: Judged | None) -> str | None:
    """The address of the client as text: the one that was judged, if any was."""
    extensions = scope.get("extensions")
    facts: Any = extensions.get(CONNECTION) if isinstance(extensions, Mapping) else None
    client = facts.get("source") if isinstance(facts, Mapping) else scope.get("client")
    told = client[0] if client else None
    if judged is None:
        return told
    # To write an address anew costs more than to see that it is the one that was told.
    if isinstance(told, str) and address_from_text(told) is judged.source_ip:
        return canonical_address(told)
    return judged.source
