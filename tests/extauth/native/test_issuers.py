"""Trust entries are told apart by the names of their CAs only where no certificate can be of another one's."""

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from extauth.native.issuers import issuers_by_entry
from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.trust import TrustEntry


def entry(name: str, *authorities: Authority) -> TrustEntry:
    return TrustEntry(name, tuple(certificate_from_der(authority.issued.der) for authority in authorities))


def told(*entries: TrustEntry) -> dict[str, tuple[str, ...]]:
    """What is known of the entries, in whatever order they stand."""
    found = issuers_by_entry(entries)
    assert issuers_by_entry(entries[::-1]) == found
    return found


def named(value: str, kind: _ASN1Type = _ASN1Type.UTF8String) -> Authority:
    return Authority.root(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value, kind)]))


MESH, PARTNER = Authority.root("mesh"), Authority.root("partner")


def test_entries_with_roots_of_their_own_are_told_apart() -> None:
    assert told(entry("a", MESH), entry("b", PARTNER)) == {"a": ("CN=mesh",), "b": ("CN=partner",)}


def test_two_intermediates_of_one_root_are_told_apart_where_the_root_is_in_no_entry() -> None:
    one, other = MESH.intermediate("one"), MESH.intermediate("other")
    assert told(entry("a", one), entry("b", other)) == {"a": ("CN=one",), "b": ("CN=other",)}
    assert told(entry("a", one), entry("b", other), entry("c", MESH)) == {"a": (), "b": (), "c": ()}


def test_two_keys_of_one_ca_are_of_one_entry() -> None:
    assert told(entry("a", MESH, Authority.root("mesh")), entry("b", PARTNER))["a"] == ("CN=mesh",)


@pytest.mark.parametrize(
    "other",
    [
        MESH,
        Authority.root("mesh"),
        Authority.root("MESH"),
        Authority.root(" mesh  "),
        named("mesh", _ASN1Type.BMPString),
        named("mesh", _ASN1Type.PrintableString),
        named("\uff4d\uff45\uff53\uff48"),
        MESH.intermediate("below"),
        PARTNER.intermediate("mesh"),
    ],
)
def test_entries_are_not_told_apart_whose_cas_share_a_name_or_stand_above_one_another(other: Authority) -> None:
    assert told(entry("a", MESH), entry("b", other)) == {"a": (), "b": ()}


def test_an_entry_beside_two_that_are_not_told_apart_is_told_apart() -> None:
    assert told(entry("a", MESH), entry("b", MESH), entry("c", PARTNER)) == {"a": (), "b": (), "c": ("CN=partner",)}


def test_a_ca_with_a_name_that_is_no_string_leaves_no_other_entry_told_apart() -> None:
    parts = [x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"mesh", _ASN1Type.BitString)]
    odd = Authority.root(x509.Name(parts))
    assert told(entry("a", MESH), entry("b", odd)) == {"a": (), "b": ()}


def test_a_ca_without_a_name_is_never_told() -> None:
    assert told(entry("a", MESH), entry("b", Authority.root(x509.Name([]))))["b"] == ()


def test_an_entry_without_cas_is_never_told() -> None:
    assert told(entry("a", MESH), entry("b")) == {"a": ("CN=mesh",), "b": ()}


@pytest.mark.parametrize("name", ["Zürich", "a=b", "#a", 'a"b', "a\\b", "a<b", "", "a "])
def test_a_name_that_is_written_with_rare_escapes_is_not_used(name: str) -> None:
    assert told(entry("a", MESH), entry("b", named(name) if name else Authority.root(x509.Name([]))))["b"] == ()
