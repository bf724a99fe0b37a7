"""The bounds of a trust entry, and the SVID rules, as an examination tells them."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from policies.authoring.examination import examination_from_presented
from policies.authoring.examination_check import Check
from policies.authoring.examination_entry import EntryExamination
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import NOW, Forged, alternative_names, authority, certificate, key_usage

TIME = NOW.timestamp()
ROOT, PARTNER = authority("Root"), authority("Partner")
SIGNS = (key_usage("digital_signature"), True)
DAY = timedelta(days=1)
EXPIRED = Reason.CERTIFICATE_EXPIRED
RSA = rsa.generate_private_key(65537, 2048)
DOMAIN = TrustDomain.parse("td")
MESH = TrustEntry("mesh", (ROOT.parsed,), spiffe_trust_domain=DOMAIN)
PARTNERS = TrustEntry("partners", (PARTNER.parsed,))


def svid(*uris: str, issuer: Forged = ROOT) -> Forged:
    return certificate("x", issuer=issuer, extensions=[alternative_names(uri=uris, dns=["a.example"]), SIGNS])


def examined(leaf: Forged, *trusted: TrustEntry) -> EntryExamination:
    """What the first entry says."""
    return examination_from_presented(leaf.presented, TIME, TrustStore(trusted)).entries[0]


def check(name: str, leaf: Forged, *trusted: TrustEntry) -> Check:
    (found,) = [check for check in examined(leaf, *trusted).checks if check.name == name]
    return found


def test_a_life_longer_than_allowed_is_told_with_both_spans() -> None:
    bounded = TrustEntry("mesh", (ROOT.parsed,), max_lifetime=86_400)
    found = check("max_lifetime", certificate("x", issuer=ROOT), bounded)
    assert (found.reason, found.finding) == (
        Reason.CERTIFICATE_UNTRUSTED,
        "issued for 2 d, at most 1 d are allowed",
    )
    assert found.fix == "have it issued for 1 d or less, or raise `max_lifetime` of mesh"


def test_a_life_at_the_bound_passes() -> None:
    bounded = TrustEntry("mesh", (ROOT.parsed,), max_lifetime=2 * 86_400)
    assert check("max_lifetime", certificate("x", issuer=ROOT), bounded).reason is None


def test_a_leaf_within_the_clock_skew_of_one_entry_is_valid_there_and_expired_elsewhere() -> None:
    lenient = TrustEntry("lenient", (ROOT.parsed,), clock_skew=60)
    strict = TrustEntry("strict", (ROOT.parsed,))
    unrelated = TrustEntry("unrelated", (PARTNER.parsed,), clock_skew=3600)
    leaf = certificate("x", issuer=ROOT, not_before=NOW - DAY, not_after=NOW - timedelta(seconds=30))
    cases = ((lenient, strict, unrelated), [None, EXPIRED, EXPIRED]), ((strict, unrelated), [None, None])
    for entries, reasons in cases:
        store = TrustStore(entries)
        found = examination_from_presented(leaf.presented, TIME, store)
        assert [entry.checks[0].reason for entry in found.entries] == reasons
        assert found.reason is store.standing(leaf.presented, TIME).reason
    assert "clocks may differ by 1 min" in check("clock_skew", leaf, lenient).finding


def test_a_short_rsa_key_is_told_with_both_lengths() -> None:
    strict = TrustEntry("mesh", (ROOT.parsed,), min_rsa_bits=3072)
    found = check("min_rsa_bits", certificate("x", issuer=ROOT, key=RSA), strict)
    assert (found.reason, found.finding) == (
        Reason.CERTIFICATE_UNTRUSTED,
        "its RSA key has 2048 bits, 3072 are asked for",
    )
    assert check("min_rsa_bits", certificate("x", issuer=ROOT), strict).reason is None


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (("key_encipherment",), "the key usage is `keyEncipherment`, without `digitalSignature`"),
        (
            ("digital_signature", "key_cert_sign"),
            "the key usage is `digitalSignature` and `keyCertSign`; `keyCertSign` is for CAs only",
        ),
    ],
)
def test_a_key_usage_that_no_caller_has_is_shown(bits: tuple[str, ...], words: str) -> None:
    found = check("key usage", certificate("x", issuer=PARTNER, extensions=[(key_usage(*bits), True)]), PARTNERS)
    assert (found.reason, found.finding) == (Reason.CERTIFICATE_UNTRUSTED, words)


def test_the_key_usage_of_an_svid_is_judged_by_the_svid_rules() -> None:
    names = alternative_names(uri=["spiffe://td/a"])
    leaf = certificate("x", issuer=ROOT, extensions=[names, (key_usage("key_encipherment"), True)])
    assert check("key usage", leaf, MESH).reason is None
    assert check("SVID rules", leaf, MESH).reason is Reason.SVID_INVALID


def test_an_svid_of_the_entry_passes() -> None:
    found = examined(svid("spiffe://td/a"), MESH)
    assert found.reason is None
    assert check("SVID rules", svid("spiffe://td/a"), MESH).finding == "`spiffe://td/a` is of `td`"


def test_a_spiffe_id_from_the_ca_of_another_entry_is_a_matter_of_its_own_entry() -> None:
    found = check("SVID rules", svid("spiffe://td/a", issuer=PARTNER), PARTNERS, MESH)
    assert found.reason is Reason.SVID_INVALID
    assert found.fix == "`td` belongs to the entry mesh: only a CA of that entry may issue its names"


def test_a_spiffe_id_of_no_entry_asks_for_its_trust_domain() -> None:
    found = check("SVID rules", svid("spiffe://other/a"), MESH)
    first, _, other = found.fix.partition("; or ")
    assert first == "have it issued with a name of `td`"
    assert other == "set `spiffe_trust_domain: other` in the entry whose CA may issue names of that domain"


def test_a_leaf_without_spiffe_id_is_told_what_the_entry_wants_and_where_else_it_may_belong() -> None:
    found = check("SVID rules", svid("https://x/"), MESH)
    assert found.fix.startswith("have it issued with one URI SAN spiffe://td/…")
    assert found.fix.endswith("needs an entry without `spiffe_trust_domain`")


def test_two_uris_are_told_to_be_one() -> None:
    found = check("SVID rules", svid("spiffe://td/a", "spiffe://td/b"), MESH)
    assert found.fix == "have it issued with one URI SAN spiffe://td/…, as no CA, with the key usage digitalSignature"


def test_a_spiffe_id_that_is_none_under_an_entry_without_domain() -> None:
    found = check("SVID rules", svid("SPIFFE://td/a", issuer=PARTNER), PARTNERS)
    assert found.fix == "have it issued with one SPIFFE ID as the standard writes it, or with no spiffe: URI"


def test_an_entry_is_not_told_to_take_in_the_svids_of_another() -> None:
    partners, _ = examination_from_presented(
        svid("spiffe://td/a").presented, TIME, TrustStore([PARTNERS, MESH])
    ).entries
    assert {item.fix for item in partners.checks} == {""}
    assert "its SPIFFE ID is a matter of the entry mesh" in partners.checks[4].finding


# Without a policy.


def alone(leaf: Forged) -> Check:
    """The last check without a policy: key usage, or the SVID rules."""
    return examination_from_presented(leaf.presented, TIME, None).checks[-1]


def test_without_a_policy_an_svid_is_held_to_the_rules_of_its_own_domain() -> None:
    found = alone(svid("spiffe://td/a"))
    assert (found.name, found.reason) == ("SVID rules", None)
    assert found.finding == "`spiffe://td/a`: only the trust entry of `td` may vouch for it"


@pytest.mark.parametrize("uris", [["spiffe://td/a", "urn:x"], ["SPIFFE://td/a"], ["spiffe://td"], ["spiffe://td//"]])
def test_without_a_policy_a_broken_svid_is_refused(uris: list[str]) -> None:
    assert alone(svid(*uris)).reason is Reason.SVID_INVALID


def test_without_a_policy_another_leaf_is_held_to_its_key_usage() -> None:
    leaf = certificate("x", extensions=[(key_usage("key_encipherment"), True)])
    assert (alone(leaf).name, alone(leaf).reason) == ("key usage", Reason.CERTIFICATE_UNTRUSTED)
