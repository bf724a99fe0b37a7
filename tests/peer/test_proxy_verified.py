"""A certificate that a proxy has verified for one entry: no path is asked for, everything else is."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.authority import Authority
from policies.peer.crl import Crl, crl_from_bytes
from policies.peer.presented import PresentedCertificate, presented_from_der, proxy_verified
from policies.peer.reader import PresentedReader
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import Revocation, Standing, TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import (
    DAY,
    NOW,
    Extension,
    Forged,
    alternative_names,
    authority,
    certificate,
    key_usage,
    parsed,
    percent_encoded,
)

TIME = NOW.timestamp()
OURS = authority("Ours")
THEIRS = authority("Theirs")
SIGNS = (key_usage("digital_signature"), True)
DOMAIN = TrustDomain("td")


def svid(*uris: str, issuer: Forged = THEIRS, extra: Sequence[Extension] = (), **how: Any) -> Forged:
    return certificate(
        "x", issuer=issuer, extensions=[alternative_names(uri=uris or ["spiffe://td/a"]), SIGNS, *extra], **how
    )


def verified(leaf: Forged, sent: Sequence[Forged] = ()) -> PresentedCertificate:
    return proxy_verified(presented_from_der(leaf.der, [ca.der for ca in sent]), "mesh")


def entry(**how: Any) -> TrustEntry:
    return TrustEntry("mesh", how.pop("anchors", (OURS.parsed,)), **{"spiffe_trust_domain": DOMAIN, **how})


def standing(leaf: Forged, *entries: TrustEntry, time: float = TIME, sent: Sequence[Forged] = ()) -> Standing:
    return TrustStore(entries or (entry(),)).standing(verified(leaf, sent), time)


def test_no_path_to_an_anchor_is_asked_for() -> None:
    leaf = svid()
    store = TrustStore([entry()])
    assert store.standing(leaf.presented, TIME).reason is Reason.CERTIFICATE_UNTRUSTED
    assert store.standing(verified(leaf), TIME).trust == {"mesh"}
    # Neither verdict is taken for the other.
    assert store.standing(leaf.presented, TIME).reason is Reason.CERTIFICATE_UNTRUSTED
    assert standing(svid(issuer=authority("Ours", not_after=NOW - DAY))).trust == {"mesh"}


def test_the_word_counts_for_the_one_entry_and_no_other() -> None:
    leaf = certificate("x", issuer=THEIRS)
    plain = TrustEntry("plain", (OURS.parsed,))
    mesh = TrustEntry("mesh", (OURS.parsed,))
    assert standing(leaf, plain, mesh).trust == {"mesh"}
    assert standing(leaf, plain, mesh, TrustEntry("theirs", (THEIRS.parsed,))).trust == {"mesh", "theirs"}
    assert standing(leaf, plain).reason is Reason.CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        (svid(not_before=NOW + DAY), Reason.CERTIFICATE_NOT_YET_VALID),
        (svid(not_after=NOW - timedelta(seconds=1)), Reason.CERTIFICATE_EXPIRED),
        (svid(extra=[(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)]), Reason.CERTIFICATE_UNTRUSTED),
        (svid(key=rsa.generate_private_key(65537, 1024)), Reason.CERTIFICATE_UNTRUSTED),
        (authority("CA", issuer=THEIRS), Reason.CERTIFICATE_UNTRUSTED),
        (svid("spiffe://td/*"), Reason.CERTIFICATE_UNTRUSTED),
        (svid("spiffe://other/a"), Reason.SVID_INVALID),
        (svid("spiffe://td/a", "spiffe://td/b"), Reason.SVID_INVALID),
        (certificate("x", issuer=THEIRS), Reason.SVID_INVALID),
        (certificate("x", issuer=THEIRS, extensions=[alternative_names(uri=["spiffe://td/a"])]), Reason.SVID_INVALID),
    ],
    ids=range(10),
)
def test_dates_key_usage_and_svid_rules_still_hold(leaf: Forged, reason: Reason) -> None:
    found = standing(leaf)
    assert (found.trust, found.reason) == (frozenset(), reason)


def test_the_bounds_and_the_clock_skew_of_the_entry_still_hold() -> None:
    leaf = svid(not_after=NOW - timedelta(seconds=1))
    assert standing(leaf, entry(clock_skew=5.0)).trust == {"mesh"}
    assert standing(svid(), entry(max_lifetime=60.0)).reason is Reason.CERTIFICATE_UNTRUSTED
    key = rsa.generate_private_key(65537, 2048)
    assert standing(svid(key=key), entry(min_rsa_bits=3072)).reason is Reason.CERTIFICATE_UNTRUSTED


# Revocation.

MESH = Authority.root("Mesh", now=NOW)
LEAF = MESH.issue(uri=["spiffe://td/a"])
PEER = proxy_verified(presented_from_der(LEAF.der), "mesh")


def crl(ca: Authority, *revoked: x509.Certificate | int, **how: Any) -> Crl:
    return crl_from_bytes(ca.crl(revoked, **how))


def with_crls(*crls: Crl, revocation: Revocation = Revocation.IF_AVAILABLE, by: Authority = MESH) -> Standing:
    mesh = entry(anchors=(parsed(by.issued),), crls=crls, revocation=revocation)
    return TrustStore([mesh]).standing(PEER, TIME)


def test_a_crl_of_its_ca_revokes() -> None:
    assert with_crls(crl(MESH)).trust == {"mesh"}
    assert with_crls(crl(MESH, LEAF.certificate)).reason is Reason.CERTIFICATE_REVOKED


def test_a_crl_under_another_key_of_that_name_revokes_and_proves_nothing() -> None:
    """Without a path nobody knows under which key of the CA the certificate is."""
    other = Authority.root("Mesh", now=NOW)
    assert with_crls(crl(other, LEAF.certificate), by=other).reason is Reason.CERTIFICATE_REVOKED
    assert with_crls(crl(other), by=other, revocation=Revocation.REQUIRE).reason is Reason.REVOCATION_UNKNOWN


def test_require_asks_for_a_current_crl_of_the_key_that_signed_it() -> None:
    assert with_crls(crl(MESH), revocation=Revocation.REQUIRE).trust == {"mesh"}
    old = crl(MESH, this_update=NOW - 2 * DAY, next_update=NOW - DAY)
    assert with_crls(old, revocation=Revocation.REQUIRE).reason is Reason.REVOCATION_UNKNOWN
    assert with_crls(revocation=Revocation.REQUIRE).reason is Reason.REVOCATION_UNKNOWN


def test_a_ca_that_a_crl_lists_is_no_way_to_be_trusted() -> None:
    issuing = MESH.intermediate("Issuing")
    leaf = proxy_verified(presented_from_der(issuing.issue(uri=["spiffe://td/a"]).der, [issuing.issued.der]), "mesh")
    listed = crl(MESH, issuing.issued.certificate)
    store = TrustStore([entry(anchors=(parsed(MESH.issued),), crls=(listed,))])
    assert store.standing(leaf, TIME).reason is Reason.CERTIFICATE_REVOKED


# The reader.


def test_a_reader_that_is_told_so_marks_every_certificate() -> None:
    pem = percent_encoded(LEAF.pem)
    reader, plain = PresentedReader(verified_for="mesh"), PresentedReader()
    xfcc = f'Cert="{pem}"'
    for read in (reader.from_percent_pem(pem), reader.from_envoy(pem, xfcc), reader.from_xfcc(xfcc)):
        assert read == PEER
    for read in (plain.from_percent_pem(pem), plain.from_envoy(pem, xfcc), plain.from_xfcc(xfcc)):
        assert isinstance(read, PresentedCertificate)
        assert read.verified_for is None


def test_a_certificate_in_xfcc_that_is_not_the_principals_is_refused() -> None:
    xfcc = f'Cert="{percent_encoded(LEAF.pem)}"'
    reader = PresentedReader(verified_for="mesh")
    assert reader.from_xfcc(xfcc, "spiffe://td/a") == PEER
    assert not isinstance(reader.from_xfcc(xfcc, "spiffe://td/admin"), PresentedCertificate)
