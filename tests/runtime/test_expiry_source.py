"""What ends is found in the trust that is in force, and in the chain that the listeners show."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from pki.authority import Authority
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.trust import Revocation, TrustEntry, TrustStore
from runtime.expiry import Expiring, ExpiryKind
from runtime.expiry_source import expiring_from_served, expiring_from_trust
from runtime.limits import MAX_EXPIRY_NAME_CHARS

TODAY = datetime(2027, 3, 1, 12, tzinfo=UTC)
ROOT = Authority.root("root", now=TODAY, days=300)
ISSUING = ROOT.intermediate("issuing", days=100)


def certificate(authority: Authority) -> Certificate:
    return certificate_from_der(authority.issued.der)


def days_after_today(item: Expiring) -> float:
    return (item.ends - TODAY.timestamp()) / 86_400


def found(*entries: TrustEntry) -> list[tuple[str | None, str, str, float]]:
    items = expiring_from_trust(TrustStore(entries))
    return [(item.entry, item.kind, item.name, days_after_today(item)) for item in items]


def crl_of(authority: Authority, number: int, *, ends_in: float) -> bytes:
    return authority.crl(number=number, next_update=TODAY + timedelta(days=ends_in))


def test_anchors_intermediates_and_crls_are_found() -> None:
    crls = (crl_from_bytes(crl_of(ISSUING, 1, ends_in=3)), crl_from_bytes(crl_of(ROOT, 1, ends_in=30)))
    entry = TrustEntry("mesh", (certificate(ROOT),), (certificate(ISSUING),), crls=crls)
    assert found(entry) == [
        ("mesh", "anchor", "CN=root", 300),
        ("mesh", "intermediate", "CN=issuing", 100),
        ("mesh", "crl", "CN=root", 30),
        ("mesh", "crl", "CN=issuing", 3),
    ]


def test_the_life_of_a_certificate_and_of_a_crl_has_its_beginning() -> None:
    entry = TrustEntry("mesh", (certificate(ROOT),), crls=(crl_from_bytes(crl_of(ROOT, 1, ends_in=3)),))
    begun = {item.starts for item in expiring_from_trust(TrustStore([entry]))}
    assert begun == {(TODAY - timedelta(minutes=5)).timestamp()}


def test_an_object_in_two_entries_ends_in_both_and_one_listed_twice_ends_once() -> None:
    root = certificate(ROOT)
    twice = [TrustEntry("a", (root, root)), TrustEntry("b", (root,))]
    assert [(entry, kind) for entry, kind, _, _ in found(*twice)] == [("a", "anchor"), ("b", "anchor")]


def test_of_two_crls_of_one_ca_the_one_that_lasts_longest_counts() -> None:
    crls = tuple(crl_from_bytes(crl_of(ROOT, number, ends_in=days)) for number, days in ((1, 2), (2, 9), (3, 5)))
    entry = TrustEntry("mesh", (certificate(ROOT),), crls=crls)
    assert [days for _, kind, _, days in found(entry) if kind == "crl"] == [9]


def test_a_crl_counts_for_the_entry_that_lists_it() -> None:
    root, crl = certificate(ROOT), crl_from_bytes(crl_of(ROOT, 1, ends_in=3))
    entries = [TrustEntry("with", (root,), crls=(crl,)), TrustEntry("without", (root,))]
    assert [entry for entry, kind, _, _ in found(*entries) if kind == "crl"] == ["with"]


def test_a_crl_that_nothing_asks_for_is_not_missed() -> None:
    crls = (crl_from_bytes(crl_of(ROOT, 1, ends_in=3)),)
    entry = TrustEntry("mesh", (certificate(ROOT),), crls=crls, revocation=Revocation.OFF)
    assert [kind for _, kind, _, _ in found(entry)] == ["anchor"]


def test_a_renewed_certificate_or_crl_is_another_object() -> None:
    def object_of(crl: bytes) -> Expiring:
        entry = TrustEntry("mesh", (certificate(ROOT),), crls=(crl_from_bytes(crl),))
        return expiring_from_trust(TrustStore([entry]))[1]

    first, second = crl_of(ROOT, 1, ends_in=3), crl_of(ROOT, 2, ends_in=3)
    assert object_of(first) == object_of(first)
    assert object_of(first) != object_of(second)


def test_a_trust_without_entries_has_no_end() -> None:
    assert found() == []


def test_a_name_of_thousands_of_characters_is_cut() -> None:
    long = Authority.root("n" * 64, now=TODAY)
    assert found(TrustEntry("mesh", (certificate(long),)))[0][2] == f"CN={'n' * 64}"
    issued = ROOT.issue(subject=",".join(f"OU={'x' * 60}" for _ in range(60)), server=True)
    (item,) = expiring_from_served(issued.pem)
    assert len(item.name) == MAX_EXPIRY_NAME_CHARS
    assert item.name.endswith("…")


def test_every_certificate_of_a_served_chain_ends_and_a_key_beside_them_does_not_matter() -> None:
    issued = ISSUING.issue(subject="CN=peergate", server=True, not_after=TODAY + timedelta(days=7))
    leaf, issuing = expiring_from_served(issued.key_pem + issued.chain_pem)
    assert (leaf.kind, leaf.entry, leaf.name, days_after_today(leaf)) == (ExpiryKind.SERVED, None, "CN=peergate", 7)
    assert leaf.digest == sha256(issued.der).digest()
    assert (issuing.name, days_after_today(issuing)) == ("CN=issuing", 100)


@pytest.mark.parametrize(
    "chain", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"], ids=repr
)
def test_a_chain_that_is_none_is_a_value_error(chain: bytes) -> None:
    with pytest.raises(ValueError):
        expiring_from_served(chain)
