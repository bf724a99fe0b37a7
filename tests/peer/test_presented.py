"""What a connection presented."""

import pytest

from pki.authority import Authority
from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_INTERMEDIATES, MAX_PRESENTED_BYTES
from policies.peer.presented import intermediates_from_chain, presented_from_der, presented_from_pem
from tests.peer.forge import NOW, parsed

ROOT = Authority.root("Root", now=NOW)
ISSUER = ROOT.intermediate("Issuer")
LEAF = ISSUER.issue(subject="CN=x")
OTHER = ISSUER.issue(subject="CN=y")


def test_equal_bytes_have_equal_keys_and_different_bytes_have_different_ones() -> None:
    presented = [
        presented_from_der(LEAF.der),
        presented_from_der(OTHER.der),
        presented_from_der(LEAF.der, [ISSUER.issued.der]),
        presented_from_der(LEAF.der, [ISSUER.issued.der, ROOT.issued.der]),
        presented_from_der(LEAF.der, [ROOT.issued.der, ISSUER.issued.der]),
        presented_from_der(LEAF.der, [ISSUER.issued.der + ROOT.issued.der]),
    ]
    assert len({item.key for item in presented}) == len(presented)
    assert presented_from_der(LEAF.der, [ISSUER.issued.der]).key == presented[2].key


def test_a_leaf_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(CertificateError):
        presented_from_der(b"junk")


def test_intermediates_are_not_read_but_bounded() -> None:
    assert presented_from_der(LEAF.der, [b"junk"]).intermediates == (b"junk",)
    with pytest.raises(CertificateError, match="more than 8"):
        presented_from_der(LEAF.der, [b"junk"] * (MAX_INTERMEDIATES + 1))
    most = MAX_PRESENTED_BYTES - len(LEAF.der)
    assert presented_from_der(LEAF.der, [b"x" * (most - 9), b"x" * 9])
    with pytest.raises(CertificateError, match="have 18433 bytes, at most 18432"):
        presented_from_der(LEAF.der, [b"x" * (most - 9), b"x" * 10])


def test_pem_of_a_leaf_is_one_block() -> None:
    assert presented_from_pem(LEAF.pem.decode()).leaf == parsed(LEAF)
    with pytest.raises(CertificateError, match="more than 1"):
        presented_from_pem(LEAF.chain_pem.decode())


def test_law_7_a_chain_counts_only_if_its_leaf_is_byte_equal() -> None:
    assert intermediates_from_chain(parsed(LEAF), LEAF.chain_pem.decode()) == (ISSUER.issued.der,)
    assert intermediates_from_chain(parsed(LEAF), OTHER.chain_pem.decode()) == ()


@pytest.mark.parametrize("chain", ["", "junk", "-----BEGIN CERTIFICATE-----", LEAF.pem.decode() * 10])
def test_a_chain_that_cannot_be_read_gives_no_intermediates(chain: str) -> None:
    assert presented_from_pem(LEAF.pem.decode(), chain).intermediates == ()
