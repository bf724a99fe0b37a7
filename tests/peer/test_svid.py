"""X.509-SVID rules for leaves."""

from collections.abc import Sequence

import pytest
from cryptography import x509

from policies.peer.spiffe import TrustDomain
from policies.peer.svid import svid_problem
from tests.peer.forge import Extension, alternative_names, certificate, key_usage

DOMAIN = TrustDomain.parse("acme.internal")
SIGNS = (key_usage("digital_signature"), True)


def problem(uris: Sequence[str], *extensions: Extension, domain: TrustDomain | None = DOMAIN) -> str:
    names = [alternative_names(uri=uris, dns=["a.example"])]
    return svid_problem(certificate(extensions=[*names, *extensions]).parsed, domain)


def test_one_spiffe_id_of_the_domain_with_digital_signature_is_an_svid() -> None:
    assert problem(["spiffe://acme.internal/ns/a"], SIGNS) == ""


def test_key_agreement_and_encipherment_may_stand_beside_it() -> None:
    usage = (key_usage("digital_signature", "key_encipherment", "key_agreement"), True)
    assert problem(["spiffe://acme.internal/ns/a"], usage) == ""


@pytest.mark.parametrize(
    "uris",
    [
        [],
        ["https://acme.internal/a"],
        ["spiffe://other/a"],
        ["spiffe://acme.internal.evil/a"],
        ["spiffe://acme.internal"],
        ["spiffe://acme.internal/"],
        ["SPIFFE://acme.internal/a"],
        ["spiffe://Acme.internal/a"],
        ["spiffe://acme.internal/a%2fb"],
        ["spiffe://acme.internal/a/../b"],
        ["spiffe://acme.internal/a", "spiffe://acme.internal/a"],
        ["spiffe://acme.internal/a", "https://x/"],
    ],
)
def test_no_or_several_uris_or_one_that_is_no_workload_of_the_domain_is_no_svid(uris: list[str]) -> None:
    assert problem(uris, SIGNS)


@pytest.mark.parametrize(
    "bits", [(), ("key_encipherment",), ("digital_signature", "key_cert_sign"), ("digital_signature", "crl_sign")]
)
def test_key_usage_without_digital_signature_or_with_that_of_a_ca_is_no_svid(bits: tuple[str, ...]) -> None:
    assert problem(["spiffe://acme.internal/a"], (key_usage(*bits), True))


def test_a_missing_key_usage_is_no_svid() -> None:
    assert "digitalSignature" in problem(["spiffe://acme.internal/a"])


def test_a_ca_is_no_svid_of_a_caller() -> None:
    assert "CA" in problem(
        ["spiffe://acme.internal/a"], SIGNS, (x509.BasicConstraints(ca=True, path_length=None), True)
    )


@pytest.mark.parametrize("uri", ["spiffe://acme.internal/a", "SPIFFE://x/a", "spiffe:x", "spiffe://"])
def test_without_a_trust_domain_no_uri_may_claim_to_be_a_spiffe_id(uri: str) -> None:
    assert problem([uri], SIGNS, domain=None)
    assert problem(["https://x/", uri], SIGNS, domain=None)


def test_without_a_trust_domain_other_uris_are_free() -> None:
    assert problem(["https://x/", "urn:y"], domain=None) == ""
    assert problem([], domain=None) == ""
