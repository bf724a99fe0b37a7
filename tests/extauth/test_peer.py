"""A certificate that Envoy has and does not send is malformed, never no certificate."""

from extauth.peer import presented_from_source
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
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
