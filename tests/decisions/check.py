"""A case as Envoy asks it over gRPC, written by an encoder that shares nothing with ours (envoy-data-plane)."""

import hashlib

from policies.peer.certificate import certificate_from_der
from tests.decisions.corpus import Case
from tests.decisions.world import World
from tests.support.envoy_wire import (
    Address,
    AttributeContext,
    AttributeContextHttpRequest,
    AttributeContextPeer,
    AttributeContextRequest,
    AttributeContextTlsSession,
    CheckRequest,
    HeaderMap,
    HeaderValue,
    SocketAddress,
)
from tests.support.odd_certificates import Identity
from tests.support.percent import percent_encoded


def check_from_case(case: Case, world: World) -> bytes:
    """`CheckRequest`, as Envoy sends it with the settings of `deploy/envoy/envoy-grpc.yaml`."""
    identity = world.identities[case.certificate] if case.certificate else None
    host = ",".join(case.hosts)
    sent = [(":method", case.method), (":path", case.target), (":scheme", "https"), (":authority", host)]
    sent += [(name.lower(), value) for name, value in case.headers if name.lower() != "x-forwarded-client-cert"]
    if identity is not None:
        sent.append(("x-forwarded-client-cert", _names(identity) if case.names_only else _xfcc(identity)))
    http = AttributeContextHttpRequest(
        method=case.method,
        path=_shown(case.target),
        host=_shown(host),
        scheme="https",
        protocol="HTTP/1.1",
        header_map=HeaderMap(
            headers=[HeaderValue(key=name, raw_value=value.strip(" \t").encode("latin-1")) for name, value in sent]
        ),
    )
    attributes = AttributeContext(
        source=_source(case, identity),
        request=AttributeContextRequest(http=http),
        tls_session=AttributeContextTlsSession(sni=case.sni or ""),
    )
    return bytes(CheckRequest(attributes=attributes))


def _source(case: Case, identity: Identity | None) -> AttributeContextPeer:
    peer = AttributeContextPeer()
    if case.source_ip != "unknown":
        peer.address = Address(socket_address=SocketAddress(address=case.source_ip, port_value=50_000))
    if identity is not None:
        peer.principal = _principal(identity) if case.names_only else "whatever Envoy makes of the first name"
        peer.certificate = "" if case.names_only else percent_encoded(identity.pem)
    return peer


def _xfcc(identity: Identity) -> str:
    digest = hashlib.sha256(identity.der).hexdigest()
    return f'Hash={digest};Cert="{percent_encoded(identity.pem)}";Chain="{percent_encoded(identity.chain_pem)}"'


def _principal(identity: Identity) -> str:
    facts = certificate_from_der(identity.der).identity
    assert facts.subject is not None
    return next(iter([*(facts.uri or ()), *(facts.dns or ()), facts.subject.text]))


def _names(identity: Identity) -> str:
    """As Envoy writes it without `cert` and `chain`."""
    facts = certificate_from_der(identity.der).identity
    assert facts.subject is not None
    subject = facts.subject.text
    keys = [f"Hash={hashlib.sha256(identity.der).hexdigest()}", f'Subject="{subject}"']
    keys += [f"URI={uri}" for uri in facts.uri or ("",)]
    return ";".join([*keys, *(f"DNS={name}" for name in facts.dns or ())])


def _shown(on_the_wire: str) -> str:
    """Text as Envoy shows it in a proto string: every byte that is not UTF-8 becomes `!`."""
    return on_the_wire.encode("latin-1").decode("utf-8", "replace").replace("\ufffd", "!")
