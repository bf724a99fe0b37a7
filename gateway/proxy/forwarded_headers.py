"""The headers of a request as its upstream gets them, and those of an answer as the client gets them.

Law 7: what AuthorizationMiddleware set about the caller stays, whatever the client's Connection header lists. What
belongs to one connection, or frames a message, is written anew for the next.
"""

import base64
import ssl
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote

from gateway.middleware.judged import Judged
from gateway.proxy.errors import UnforwardableError
from gateway.proxy.limits import MAX_REMEMBERED_CERTIFICATES
from policies.engine.header_names import CONNECTION_HEADERS, ORIGIN_HEADERS
from policies.peer.presented import PresentedCertificate

RawHeaders = Iterable[tuple[bytes, bytes]]

#: RFC 9110 §7.6.1, with the upgrade to HTTP/2 that RFC 9113 has taken back.
_OF_A_CONNECTION = frozenset(name.encode() for name in CONNECTION_HEADERS - {"content-length"}) | {b"http2-settings"}
#: They are written by us, from the connection.
_OF_A_HOP = frozenset(name.encode() for name in ORIGIN_HEADERS)
#: A client cannot have them removed by listing them in Connection.
_FRAMING = frozenset({b"host", b"content-length"})


def listed_in_connection(headers: RawHeaders) -> frozenset[bytes]:
    """The names, lower case, that Connection headers list."""
    values = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(token.strip(b" \t").lower() for value in values for token in value.split(b","))


def upstream_headers(
    headers: Sequence[tuple[bytes, bytes]], judged: Judged | None, source: str | None, scheme: str, *, xfcc: bool
) -> list[tuple[str, str]]:
    """The headers of a request that goes on. `source`: the address it came from; `xfcc`: whether to write XFCC.

    Raises UnforwardableError for a value that is not UTF-8, as it would arrive as another one.
    """
    ours = _set_by_us(judged)
    dropped = (listed_in_connection(headers) - _FRAMING - ours) | _OF_A_CONNECTION | _OF_A_HOP
    kept = [(_text(name), _text(value)) for name, value in headers if name.lower() not in dropped]
    if source is not None:
        kept.append(("x-forwarded-for", source))
    kept.append(("x-forwarded-proto", scheme))
    return kept + _certificate_headers(judged, xfcc=xfcc)


def client_headers(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that goes back."""
    dropped = (listed_in_connection(headers) - _FRAMING) | _OF_A_CONNECTION
    return [(name.lower(), value) for name, value in headers if name.lower() not in dropped]


def _set_by_us(judged: Judged | None) -> frozenset[bytes]:
    """Names that reach us only from AuthorizationMiddleware, which has removed what the client sent under them."""
    decision = None if judged is None else judged.decision
    return _SET if decision is None else _SET.union(name.encode() for name, _ in decision.headers)


_SET = frozenset({b"x-peergate-identity", b"x-peergate-spiffe-id", b"x-peergate-decision-id"})


def _certificate_headers(judged: Judged | None, *, xfcc: bool) -> list[tuple[str, str]]:
    """Client-Cert and Client-Cert-Chain (RFC 9440 §2), of a certificate that a trust entry vouches for."""
    decision = None if judged is None else judged.decision
    presented = None if judged is None else judged.presented
    if decision is None or not decision.trust or not isinstance(presented, PresentedCertificate):
        return []
    found = [("client-cert", _byte_sequence(presented.leaf.der))]
    if presented.intermediates:
        found.append(("client-cert-chain", ", ".join(map(_byte_sequence, presented.intermediates))))
    if xfcc:
        digest = presented.leaf.sha256.hex()
        found.append(("x-forwarded-client-cert", f'Hash={digest};Cert="{_percent_pem(presented.leaf.der)}"'))
    return found


@lru_cache(maxsize=MAX_REMEMBERED_CERTIFICATES)
def _byte_sequence(data: bytes) -> str:
    """RFC 8941 §3.3.5."""
    return f":{base64.b64encode(data).decode()}:"


@lru_cache(maxsize=MAX_REMEMBERED_CERTIFICATES)
def _percent_pem(der: bytes) -> str:
    return quote(ssl.DER_cert_to_PEM_cert(der), safe="")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise UnforwardableError("a header is not UTF-8, so it cannot be forwarded as it was received") from None
