"""Behind a proxy that terminates TLS: the certificate comes in one configured header, from trusted hops only."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from gateway.certificate_header import FORMATS, CertificateHeader
from gateway.connection import CONNECTION
from gateway.hops import FrontHops
from gateway.middleware.forwarded import ForwardedFacts, ForwardedPeers
from gateway.middleware.presented import Scope
from gateway.middleware.request import ScopeReader
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from runtime.errors import UntrustedHopError
from runtime.hops import NO_HOPS, TrustedHops
from tests.extauth.world import billing, policy, xfcc
from tests.gateway.middleware.scopes import http_scope

BASE64 = b64encode(billing().der).decode()
VALUES: Mapping[CertificateHeader, str] = {
    CertificateHeader.NGINX: quote(billing().pem, safe=""),
    CertificateHeader.HAPROXY: BASE64,
    CertificateHeader.CADDY: BASE64,
    CertificateHeader.TRAEFIK: BASE64,
    CertificateHeader.CLIENT_CERT: f":{BASE64}:",
    CertificateHeader.XFCC: xfcc(billing()),
}
HOP = ("10.0.0.1", 4242)
formats = pytest.mark.parametrize("header", CertificateHeader)


def scope(*headers: tuple[str, str], source: tuple[str, int] | None = HOP) -> Scope:
    """As our server makes it for a hop that shows a certificate of its own, and asks for a name of its own."""
    made = http_scope(billing(), headers=[(name.encode(), value.encode()) for name, value in headers])
    made["extensions"][CONNECTION] = {"sni": "gateway.internal", "source": source}
    return made


def judged(header: CertificateHeader, asked: Scope, balancers: TrustedHops = NO_HOPS) -> Request:
    facts = ForwardedFacts(ForwardedPeers(FORMATS[header], FrontHops.parse(["10.0.0.0/8"])), balancers)
    return ScopeReader(PresentedReader(), lambda: 7.0, facts).received_from_scope(asked, None, policy()).request


@formats
def test_the_certificate_is_the_one_in_the_header_and_not_that_of_the_hop(header: CertificateHeader) -> None:
    name = FORMATS[header].certificate
    for _ in range(2):
        peer = judged(header, scope((name, VALUES[header]))).peer
        assert isinstance(peer, PresentedCertificate)
        assert peer.leaf.der == billing().der
    assert judged(header, scope()).peer is NO_CERTIFICATE


@formats
def test_law_7_a_header_of_another_format_is_not_read(header: CertificateHeader) -> None:
    for other in CertificateHeader:
        name = FORMATS[other].certificate
        if name not in FORMATS[header].names:
            assert judged(header, scope((name, VALUES[other]))).peer is NO_CERTIFICATE
        elif VALUES[other] != VALUES[header]:
            assert isinstance(judged(header, scope((name, VALUES[other]))).peer, MalformedCertificate)


@formats
def test_law_7_a_repeated_header_is_malformed_and_never_no_certificate(header: CertificateHeader) -> None:
    name = FORMATS[header].certificate
    for values in (("", ""), (VALUES[header], ""), (VALUES[header],) * 2):
        peer = judged(header, scope(*((name, value) for value in values))).peer
        assert isinstance(peer, MalformedCertificate)


@formats
@pytest.mark.parametrize("source", [("192.0.2.7", 4242), None])
@pytest.mark.parametrize("sent", [True, False])
def test_law_7_who_is_no_hop_is_refused_and_not_merely_unauthenticated(
    header: CertificateHeader, source: tuple[str, int] | None, sent: bool
) -> None:
    headers = [(FORMATS[header].certificate, VALUES[header])] if sent else []
    with pytest.raises(UntrustedHopError):
        judged(header, scope(*headers, source=source))


def test_facts_of_the_hop_s_own_connection_are_not_the_client_s() -> None:
    request = judged(CertificateHeader.NGINX, scope(("x-forwarded-for", "192.0.2.7")))
    assert request.sni is UNREPORTED
    assert request.source_ip is None


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7", "10.0.0.9"], "192.0.2.7"),
        (["192.0.2.7, x"], None),
        ([], None),
    ],
)
def test_the_client_s_address_is_what_the_named_proxies_appended(forwarded: list[str], address: str | None) -> None:
    asked = scope(*(("x-forwarded-for", value) for value in forwarded))
    found = judged(CertificateHeader.NGINX, asked, TrustedHops.of_balancers(("10.0.0.0/8",))).source_ip
    assert (None if found is None else str(found)) == address
