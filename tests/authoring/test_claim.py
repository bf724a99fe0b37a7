"""An assertion says what a caller has; what it leaves out is not guessed."""

import pytest

from policies.authoring.claim import Claim, ClaimError, asserted_from_claim
from policies.peer.name import DistinguishedName
from policies.peer.trust import TrustStore
from tests.authoring.policies import POLICY, policy_from_text

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"


@pytest.fixture(scope="module")
def store() -> TrustStore:
    return policy_from_text().trust


def test_names_that_are_left_out_are_names_the_caller_does_not_have(store: TrustStore) -> None:
    facts = asserted_from_claim(Claim(uri=(BILLING,)), store).facts
    assert (facts.dns, facts.email, facts.ip) == ((), (), ())
    assert facts.subject == DistinguishedName((), "")


def test_what_every_certificate_has_is_unknown_when_left_out(store: TrustStore) -> None:
    facts = asserted_from_claim(Claim(uri=(BILLING,)), store).facts
    assert (facts.issuer, facts.serial, facts.cert_sha256, facts.spki_sha256) == (None, None, None, None)


def test_a_spiffe_id_is_vouched_for_by_the_entry_of_its_trust_domain(store: TrustStore) -> None:
    assert asserted_from_claim(Claim(uri=(BILLING,)), store).trust == {"mesh"}


def test_a_spiffe_id_of_a_foreign_trust_domain_has_nobody_to_vouch_for_it(store: TrustStore) -> None:
    assert asserted_from_claim(Claim(uri=("spiffe://evil.internal/a",)), store).trust == frozenset()
    assert asserted_from_claim(Claim(uri=(BILLING, "spiffe://evil.internal/a")), store).trust == frozenset()


def test_another_name_must_say_who_vouches_for_it_where_two_could(store: TrustStore) -> None:
    with pytest.raises(ClaimError, match="which trust entry vouches") as refused:
        asserted_from_claim(Claim(dns=("gw.partner.example",)), store)
    assert refused.value.field == "trust"


def test_another_name_is_vouched_for_by_the_only_entry() -> None:
    lines = [line for line in POLICY.splitlines() if "partners" not in line]
    store = policy_from_text("\n".join(lines)).trust
    assert asserted_from_claim(Claim(dns=("gw.partner.example",)), store).trust == {"mesh"}


def test_trust_that_is_named_is_taken_at_its_word(store: TrustStore) -> None:
    assert asserted_from_claim(Claim(uri=(BILLING,), trust=("partners",)), store).trust == {"partners"}


def test_trust_named_empty_is_nobody(store: TrustStore) -> None:
    assert asserted_from_claim(Claim(uri=(BILLING,), trust=()), store).trust == frozenset()


@pytest.mark.parametrize(
    ("claim", "field", "index"),
    [
        (Claim(uri=("spiffe://ACME.internal/a",)), "uri", 0),
        (Claim(uri=(BILLING, "has blank")), "uri", 1),
        (Claim(uri=("",)), "uri", 0),
        (Claim(dns=("*.partner.example",), trust=("partners",)), "dns", 0),
        (Claim(dns=("b\u00fccher.example",), trust=("partners",)), "dns", 0),
        (Claim(dns=("a\udc80.example",), trust=("partners",)), "dns", 0),
        (Claim(email=("nobody",), trust=("partners",)), "email", 0),
        (Claim(ip_san=("10.0.0.0/8",), trust=("partners",)), "ip_san", 0),
        (Claim(subject=("no equals sign",), trust=("partners",)), "subject", 0),
        (Claim(subject=("CN=a", "CN=b"), trust=("partners",)), "subject", 1),
        (Claim(serial=("xyz",), trust=("partners",)), "serial", 0),
        (Claim(fingerprint=("sha256:00",), trust=("partners",)), "fingerprint", 0),
        (Claim(pins=("sha256:00",), trust=("partners",)), "pins", 0),
        (Claim(dns=tuple(f"h{n}.example" for n in range(65)), trust=("partners",)), "dns", 0),
        (Claim(dns=("a" * 5000,), trust=("partners",)), "dns", 0),
    ],
)
def test_a_value_that_no_accepted_certificate_carries_is_refused_with_its_place(
    store: TrustStore, claim: Claim, field: str, index: int
) -> None:
    with pytest.raises(ClaimError) as refused:
        asserted_from_claim(claim, store)
    assert (refused.value.field, refused.value.index) == (field, index)


def test_different_claims_have_different_keys_so_that_no_cache_mixes_them(store: TrustStore) -> None:
    claims = [
        Claim(uri=(BILLING,)),
        Claim(uri=(BILLING,), trust=("partners",)),
        Claim(uri=(BILLING,), subject=("CN=a",)),
        Claim(uri=(BILLING,), subject=("CN=b",)),
        Claim(dns=("a.example", "b.example"), trust=("mesh",)),
        Claim(dns=("b.example", "a.example"), trust=("mesh",)),
        Claim(email=("a@b.example",), trust=("mesh",)),
    ]
    assert len({asserted_from_claim(claim, store).key for claim in claims}) == len(claims)
