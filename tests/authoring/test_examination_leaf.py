"""What a certificate can fail at by itself: each check alone, with its words and what to do."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from policies.authoring.examination_check import Check, Outcome
from policies.authoring.examination_leaf import LEAF_CHECKS, checks_from_leaf, checks_of_unreadable
from policies.reason import Reason
from tests.peer.forge import DAY, NOW, Forged, alternative_names, authority, certificate, raw_extension, sha1_signed

TIME = NOW.timestamp()


def failed(leaf: Forged, time: float = TIME) -> Check:
    """The one check that `leaf` fails."""
    (check,) = [check for check in checks_from_leaf(leaf.parsed, time) if check.outcome is Outcome.FAILED]
    return check


def test_every_check_is_made_once_and_in_order() -> None:
    made = [check.name for check in checks_from_leaf(certificate().parsed, TIME)]
    assert tuple(made) == tuple(check.name for check in checks_of_unreadable("why")) == LEAF_CHECKS


def test_a_sound_leaf_passes_them_all() -> None:
    checks = checks_from_leaf(certificate().parsed, TIME)
    assert {(check.outcome, check.reason, check.fix) for check in checks} == {(Outcome.PASSED, None, "")}


def test_both_ends_of_the_validity_count_as_valid() -> None:
    leaf = certificate()
    for time in (leaf.parsed.not_before, leaf.parsed.not_after):
        assert all(check.outcome is Outcome.PASSED for check in checks_from_leaf(leaf.parsed, time))


def test_a_certificate_of_the_past_says_since_when_and_how_long_it_was_for() -> None:
    check = failed(certificate(), TIME + 3 * 86_400)
    assert (check.name, check.reason) == ("dates", Reason.CERTIFICATE_EXPIRED)
    assert check.finding == "2026-05-31T12:00:00Z to 2026-06-02T12:00:00Z, ended 2 d ago"
    assert check.fix == "renew it; it was issued for 2 d"


def test_a_certificate_of_the_future_says_when_it_begins_and_names_clocks() -> None:
    check = failed(certificate(not_before=NOW + DAY / 24, not_after=NOW + DAY))
    assert (check.name, check.reason) == ("dates", Reason.CERTIFICATE_NOT_YET_VALID)
    assert check.finding.endswith("begins in 1 h")
    assert check.fix.startswith("wait until 2026-06-01T13:00:00Z, or compare the clocks")


def test_an_unknown_critical_extension_is_named() -> None:
    check = failed(certificate(extensions=[raw_extension("1.2.3.4", b"x", critical=True)]))
    assert (check.name, check.finding) == ("extensions", "its critical extension 1.2.3.4 is unknown")


def test_a_weak_key_is_a_matter_of_the_key_and_of_nothing_else() -> None:
    check = failed(certificate(key=rsa.generate_private_key(65537, 1024)))
    assert (check.name, check.finding) == ("key", "its RSA key has 1024 bits, 2048 to 8192 are accepted")
    assert "EC P-256" in check.fix


def test_a_ca_is_told_to_show_a_leaf() -> None:
    check = failed(authority("CA"))
    assert check.name == "not a CA"
    assert "the leaf comes first" in check.fix


@pytest.mark.parametrize("purpose", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
def test_an_extended_key_usage_without_client_auth_is_shown_as_it_is(purpose: x509.ObjectIdentifier) -> None:
    check = failed(certificate(extensions=[(x509.ExtendedKeyUsage([purpose]), False)]))
    assert check.name == "clientAuth"
    assert check.finding.endswith("`, without `clientAuth`")


@pytest.mark.parametrize(
    "names", [alternative_names(dns=["*.x"]), alternative_names(uri=["urn:*"]), alternative_names(email=["*@x"])]
)
def test_a_wildcard_is_shown(names: tuple[x509.ExtensionType, bool]) -> None:
    check = failed(certificate(extensions=[names]))
    assert check.name == "no wildcard"
    assert "*" in check.finding


def test_sha_1_is_a_matter_of_the_signature() -> None:
    root = authority("Root", key=rsa.generate_private_key(65537, 2048))
    check = failed(sha1_signed(certificate(issuer=root), root))
    assert (check.name, check.finding) == ("signature", "it is signed with SHA1, SHA-256 or better is needed")


def test_every_failure_says_what_to_do() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    extensions = [
        alternative_names(dns=["*"]),
        raw_extension("1.2.3.4", b"", critical=True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.BasicConstraints(ca=True, path_length=None), True),
    ]
    bad = certificate(key=weak, not_after=NOW - DAY / 2, extensions=extensions)
    found = [check for check in checks_from_leaf(bad.parsed, TIME) if check.outcome is Outcome.FAILED]
    assert len(found) == 6
    assert all(check.fix and check.reason for check in found)
