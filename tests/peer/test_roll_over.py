"""A CA changes its root, from old over both to new: at no step is a leaf refused that is in use at that step."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from policies.peer.crl import Crl, crl_from_bytes
from policies.peer.presented import presented_from_der
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import DAY, NOW, Forged, authority, certificate

OLD_ENDS = NOW + 10 * DAY


@dataclass(frozen=True)
class RollOver:
    """Two roots, each certified by the other, an issuing CA of each, and a leaf of each of them."""

    old: Forged
    new: Forged
    new_by_old: Forged
    old_by_new: Forged
    old_issuing: Forged
    new_issuing: Forged
    veteran: Forged
    newcomer: Forged

    @property
    def crls(self) -> tuple[Crl, ...]:
        """Of both issuing CAs; no leaf is listed."""
        return crl_of(self.old_issuing), crl_of(self.new_issuing)


def crl_of(issuer: Forged) -> Crl:
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    crl = builder.last_update(NOW - DAY).next_update(NOW + 30 * DAY).sign(issuer.key, hashes.SHA256())
    return crl_from_bytes(crl.public_bytes(serialization.Encoding.DER))


def roll_over(kind: str) -> RollOver:
    """`kind`: what the new root shares with the old one."""
    old = authority("Root", not_after=OLD_ENDS)
    key = old.key if kind == "name and key" else None
    new = authority("Root 2" if kind == "nothing" else "Root", key=key, not_after=NOW + 99 * DAY)
    subject = new.certificate.subject
    old_issuing = authority("Issuing", issuer=old)
    # A new root is the time for a new key of the issuing CA, which keeps its name.
    new_issuing = authority("Issuing", issuer=new, not_after=NOW + 99 * DAY)
    return RollOver(
        old,
        new,
        authority(subject, issuer=old, key=new.key, not_after=OLD_ENDS),
        authority(old.certificate.subject, issuer=new, key=old.key, not_after=NOW + 99 * DAY),
        old_issuing,
        new_issuing,
        certificate("veteran", issuer=old_issuing, not_after=NOW + 9 * DAY),
        certificate("newcomer", issuer=new_issuing, not_after=NOW + 50 * DAY),
    )


#: What the roots share -> the certificates of it.
ROLL_OVERS = {kind: roll_over(kind) for kind in ("nothing", "name", "name and key")}

every_kind = pytest.mark.parametrize("it", ROLL_OVERS.values(), ids=ROLL_OVERS.keys())
every_mode = pytest.mark.parametrize("revocation", Revocation)


def store(it: RollOver, *anchors: Forged, revocation: Revocation, extra: tuple[Forged, ...] = ()) -> TrustStore:
    """An enforcement point that has these anchors and both issuing CAs."""
    cas = tuple(ca.parsed for ca in (it.old_issuing, it.new_issuing, *extra))
    return TrustStore([TrustEntry("mesh", tuple(ca.parsed for ca in anchors), cas, None, it.crls, revocation)])


def reason(trusting: TrustStore, leaf: Forged, *chain: Forged, days: float = 0) -> Reason | None:
    presented = presented_from_der(leaf.der, [ca.der for ca in chain])
    return trusting.standing(presented, (NOW + timedelta(days=days)).timestamp()).reason


@every_kind
@every_mode
def test_no_leaf_in_use_is_refused_at_any_step(it: RollOver, revocation: Revocation) -> None:
    before = store(it, it.old, revocation=revocation)
    both = store(it, it.old, it.new, revocation=revocation)
    after = store(it, it.new, revocation=revocation)
    plain, crossed = (it.new_issuing,), (it.new_issuing, it.new_by_old)
    in_use = [
        # The old root alone; then leaves of the new one appear, and bring what the old one says of it.
        (before, it.veteran, (it.old_issuing,)),
        (before, it.veteran, ()),
        (before, it.newcomer, crossed),
        # Both roots, whatever chain a peer still has.
        (both, it.veteran, (it.old_issuing,)),
        (both, it.veteran, (it.old_issuing, it.old_by_new)),
        (both, it.newcomer, crossed),
        (both, it.newcomer, plain),
        # The new root alone; stragglers bring what it says of the old one.
        (after, it.newcomer, plain),
        (after, it.newcomer, crossed),
        (after, it.veteran, (it.old_issuing, it.old_by_new)),
    ]
    assert [reason(trusting, leaf, *chain) for trusting, leaf, chain in in_use] == [None] * len(in_use)


@every_kind
@every_mode
def test_leaves_alone_are_enough_where_the_cross_certificates_are_configured(
    it: RollOver, revocation: Revocation
) -> None:
    for anchors in ((it.old,), (it.old, it.new), (it.new,)):
        trusting = store(it, *anchors, revocation=revocation, extra=(it.new_by_old, it.old_by_new))
        assert [reason(trusting, leaf) for leaf in (it.veteran, it.newcomer)] == [None, None]


@every_kind
@every_mode
def test_the_end_of_the_old_root_refuses_no_leaf_of_the_new_one(it: RollOver, revocation: Revocation) -> None:
    """Neither an expired anchor nor an expired cross certificate stands in the way of a path that holds."""
    both = store(it, it.old, it.new, revocation=revocation, extra=(it.new_by_old, it.old_by_new))
    for chain in ((), (it.new_by_old,), (it.new_issuing, it.new_by_old)):
        assert reason(both, it.newcomer, *chain, days=20) is None


def test_without_what_the_old_root_says_of_the_new_one_a_stranger_stays_a_stranger() -> None:
    it = ROLL_OVERS["name"]
    before = store(it, it.old, revocation=Revocation.IF_AVAILABLE)
    assert reason(before, it.newcomer, it.new_issuing) is Reason.CERTIFICATE_UNTRUSTED
    assert reason(before, it.newcomer, it.new_issuing, it.new) is Reason.CERTIFICATE_UNTRUSTED


def test_once_the_old_root_is_gone_its_leaves_are_refused() -> None:
    for kind in ("nothing", "name"):
        it = ROLL_OVERS[kind]
        after = store(it, it.new, revocation=Revocation.IF_AVAILABLE)
        assert reason(after, it.veteran, it.old_issuing, it.old) is Reason.CERTIFICATE_UNTRUSTED


@every_kind
@every_mode
def test_a_path_over_a_revoked_cross_certificate_is_not_the_only_one(it: RollOver, revocation: Revocation) -> None:
    serial = it.new_by_old.certificate.serial_number
    entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(it.old.certificate.subject)
    crl = builder.last_update(NOW - DAY).next_update(NOW + DAY).add_revoked_certificate(entry)
    listed = crl_from_bytes(crl.sign(it.old.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    cas = tuple(ca.parsed for ca in (it.old_issuing, it.new_issuing, it.new_by_old))
    anchors = (it.old.parsed, it.new.parsed)
    both = TrustStore([TrustEntry("mesh", anchors, cas, None, (*it.crls, listed), revocation)])
    assert reason(both, it.newcomer) is None
