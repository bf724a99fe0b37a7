"""The headers of a request as its upstream gets them, and those of an answer as the client gets them.

Law 7: what AuthorizationMiddleware set about the caller stays, whatever the client's Connection header lists. What
belongs to one connection, or frames a message, is written anew for the next.
"""

import base64
import hashlib
import ssl
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from gateway.middleware.judged import Judged
from gateway.proxy.limits import MAX_REMEMBERED_CERTIFICATES
from gateway.proxy.request_head import OF_A_CONNECTION, RawHeaders, RequestHead
from policies.peer.cache import BoundedCache
from policies.peer.presented import PresentedCertificate

Headers = tuple[tuple[bytes, bytes], ...]

#: A client cannot have them removed by listing them in Connection.
_FRAMING = frozenset({b"host", b"content-length"})


class CertificateHeaders(NamedTuple):
    """What upstreams are told of a certificate beside Client-Cert: Client-Cert-Chain, x-forwarded-client-cert."""

    chain: bool = False
    xfcc: bool = False


def upstream_headers(
    headers: RawHeaders,
    head: RequestHead,
    judged: Judged | None,
    source: str | None,
    scheme: bytes,
    told: CertificateHeaders,
) -> list[tuple[bytes, bytes]]:
    """The headers of a request that goes on, less what frames a body in chunks. `source`: the address it came from."""
    kept = head.kept
    if head.connections:
        listed = _listed(headers[at][1] for at in head.connections) - _FRAMING - _set_by_us(judged)
        kept = tuple([at for at in kept if headers[at][0].lower() not in listed])
    passed = list(map(headers.__getitem__, kept))
    if source is not None:
        passed.append((b"x-forwarded-for", source.encode()))
    passed.append((b"x-forwarded-proto", scheme))
    passed += _certificate_headers(judged, told)
    return passed


def client_headers(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that goes back."""
    folded = [(name.lower(), value) for name, value in headers]
    dropped = OF_A_CONNECTION
    if listed := _listed(value for name, value in folded if name == b"connection"):
        dropped = dropped | (listed - _FRAMING)
    return [(name, value) for name, value in folded if name not in dropped]


def _listed(values: Iterable[bytes]) -> frozenset[bytes]:
    """The names, lower case, that these values of Connection list."""
    return frozenset([token.strip(b" \t").lower() for value in values for token in value.split(b",")])


def _set_by_us(judged: Judged | None) -> frozenset[bytes]:
    """Names that reach us only from AuthorizationMiddleware, which has removed what the client sent under them."""
    decision = None if judged is None else judged.decision
    return _SET if decision is None else _SET.union(name.encode() for name, _ in decision.headers)


_SET = frozenset({b"x-peergate-identity", b"x-peergate-spiffe-id", b"x-peergate-decision-id"})


#: By `PresentedCertificate.key` and what is told.
_KNOWN: BoundedCache[tuple[bytes, CertificateHeaders], Headers] = BoundedCache(MAX_REMEMBERED_CERTIFICATES)


def _certificate_headers(judged: Judged | None, told: CertificateHeaders) -> Headers:
    """Client-Cert (RFC 9440 §2) and what else is told, of a certificate that a trust entry vouches for."""
    if judged is None:
        return ()
    presented, judgement, _ = judged
    if judgement is None or not judgement.decision.trust:
        return ()
    if type(presented) is not PresentedCertificate:
        return ()
    key = (presented.key, told)
    known = _KNOWN.get(key)
    if known is None:
        known = _headers_of_certificate(presented, told)
        _KNOWN.put(key, known)
    return known


def _headers_of_certificate(presented: PresentedCertificate, told: CertificateHeaders) -> Headers:
    leaf = presented.leaf.der
    found = [(b"client-cert", _byte_sequence(leaf))]
    if told.chain and presented.intermediates:
        found.append((b"client-cert-chain", b", ".join(map(_byte_sequence, presented.intermediates))))
    if told.xfcc:
        digest = hashlib.sha256(leaf).hexdigest()
        found.append((b"x-forwarded-client-cert", f'Hash={digest};Cert="{_percent_pem(leaf)}"'.encode()))
    return tuple(found)


def _byte_sequence(data: bytes) -> bytes:
    """RFC 8941 §3.3.5."""
    return b":" + base64.b64encode(data) + b":"


def _percent_pem(der: bytes) -> str:
    return quote(ssl.DER_cert_to_PEM_cert(der), safe="")
