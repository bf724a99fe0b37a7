"""Whose certificate a connection has, by the ASGI TLS extension. Nothing here is verified; the policy judges it.

Law 7 and 8: a server that cannot say what was presented, or names a caller without showing its certificate, makes the
caller malformed, never a caller without certificate. The extension: https://asgi.readthedocs.io/en/latest/specs/tls.html
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from gateway.connection import CONNECTION, TLS
from gateway.middleware.limits import MAX_CHAIN_CERTIFICATES
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented
from policies.peer.reader import PresentedReader

Scope = MutableMapping[str, Any]

_PLAIN = ("http", "ws")
_NOTHING: Mapping[str, object] = {}


def extensions_of(scope: Scope) -> Mapping[str, object]:
    """What the server tells beside the request, nothing if it is no mapping."""
    extensions = scope.get("extensions")
    return extensions if isinstance(extensions, (dict, Mapping)) else _NOTHING


def connection_facts(extensions: Mapping[str, object]) -> Mapping[str, object]:
    """What only our server tells (`gateway.connection.ConnectionFacts`)."""
    facts = extensions.get(CONNECTION)
    return facts if isinstance(facts, (dict, Mapping)) else _NOTHING


def presented_from_scope(reader: PresentedReader, scope: Scope) -> Presented:
    """Read `scope["extensions"]["tls"]`, of our server or of another. Never raises for what a server may leave out."""
    return presented_from_tls(reader, extensions_of(scope).get(TLS), scope.get("scheme"))


def presented_from_tls(reader: PresentedReader, tls: object, scheme: object) -> Presented:
    """The same of the extension alone, None if there is none. `scheme`: of the scope."""
    if tls is None:
        if scheme in _PLAIN:
            return NO_CERTIFICATE
        return MalformedCertificate("the server does not say which certificate was presented (ASGI TLS extension)")
    if not isinstance(tls, (dict, Mapping)):
        return MalformedCertificate("the ASGI TLS extension is not a mapping")
    chain = tls.get("client_cert_chain")
    if not isinstance(chain, (tuple, list)):
        return MalformedCertificate("the ASGI TLS extension has no client_cert_chain")
    if tls.get("client_cert_error"):
        return MalformedCertificate("the server says that the client's certificate is not valid")
    if not chain:
        return _without_certificate(tls)
    if len(chain) > MAX_CHAIN_CERTIFICATES or [pem for pem in chain if type(pem) is not str]:
        return MalformedCertificate(f"client_cert_chain is not 1 to {MAX_CHAIN_CERTIFICATES} texts")
    return reader.from_pems(tuple(chain))


def _without_certificate(tls: Mapping[str, object]) -> Presented:
    """An empty chain means that nothing was presented only if nothing else speaks of a caller."""
    if tls.get("client_cert_name"):
        return MalformedCertificate("the server names the client's certificate but does not show it")
    return NO_CERTIFICATE
