"""A certificate that Envoy has and does not send is malformed, never no certificate."""

from extauth.peer import presented_from_source
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, NamedCaller, PresentedCertificate
from policies.peer.reader import PresentedReader
from tests.extauth.world import BILLING, billing, billing_by_issuing, xfcc
from tests.support.percent import percent_encoded

READER = PresentedReader()


def test_a_leaf_is_presented() -> None:
    presented = presented_from_source(READER, percent_encoded(billing().pem), BILLING, "")
    assert isinstance(presented, PresentedCertificate)
    assert presented.leaf.der == billing().der


def test_the_chain_of_xfcc_comes_with_it() -> None:
    issued = billing_by_issuing()
    presented = presented_from_source(READER, percent_encoded(issued.pem), BILLING, xfcc(issued))
    assert isinstance(presented, PresentedCertificate)
    assert len(presented.intermediates) == 1


def test_nothing_at_all_is_no_certificate() -> None:
    assert presented_from_source(READER, "", "", "") is NO_CERTIFICATE


def test_a_principal_alone_is_malformed_and_says_what_to_set() -> None:
    presented = presented_from_source(READER, "", "CN=" + "x" * 10_000, xfcc(billing()))
    assert isinstance(presented, MalformedCertificate)
    assert "include_peer_certificate" in presented.problem
    assert len(presented.problem) < 400


# Where Envoy has verified its peers.

VERIFIED = PresentedReader(verified_for="mesh")
NAMES = f"Hash={'ab' * 32};URI={BILLING}"


def test_the_certificate_is_what_counts_where_it_is_shown() -> None:
    presented = presented_from_source(VERIFIED, percent_encoded(billing().pem), BILLING, NAMES)
    assert isinstance(presented, PresentedCertificate)
    assert presented.verified_for == "mesh"


def test_names_count_where_no_certificate_is_shown() -> None:
    presented = presented_from_source(VERIFIED, "", BILLING, NAMES)
    assert isinstance(presented, NamedCaller)
    assert presented.facts.uri == (BILLING,)


def test_names_of_somebody_else_than_the_tls_peer_are_refused() -> None:
    for principal in ("", "spiffe://acme.internal/ns/prod/sa/other"):
        assert isinstance(presented_from_source(VERIFIED, "", principal, NAMES), MalformedCertificate)


def test_a_principal_without_names_is_refused_and_nothing_is_nobody() -> None:
    assert isinstance(presented_from_source(VERIFIED, "", BILLING, ""), MalformedCertificate)
    assert presented_from_source(VERIFIED, "", "", "") is NO_CERTIFICATE
