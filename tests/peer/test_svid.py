"""X.509-SVID rules for leaves, and for the CAs that sign them."""

from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from policies.authoring.examination import examination_from_presented
from policies.peer.spiffe import TrustDomain
from policies.peer.standing import Standing
from policies.peer.svid import svid_problem
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason
from tests.peer.forge import NOW, Extension, alternative_names, authority, certificate, key_usage

DOMAIN = TrustDomain.parse("acme.internal")
SIGNS = (key_usage("digital_signature"), True)
SIGNING = key_usage("key_cert_sign")


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


MESH = authority("Mesh", usage=SIGNING, extra=[alternative_names(uri=["spiffe://acme.internal"])])


def signed_by(*uris: str, usage: x509.KeyUsage | None = SIGNING) -> Standing:
    """The standing of an SVID below an intermediate with these URI SANs."""
    names = [alternative_names(uri=uris)] if uris else []
    issuing = authority("Issuing", issuer=MESH, usage=usage, extra=names)
    leaf = certificate("x", issuer=issuing, extensions=[alternative_names(uri=["spiffe://acme.internal/a"]), SIGNS])
    entry = TrustEntry("mesh", (MESH.parsed,), (issuing.parsed,), DOMAIN)
    return TrustStore([entry]).standing(leaf.presented, NOW.timestamp())


@pytest.mark.parametrize("uri", ["spiffe://acme.internal", "spiffe://other.example", "https://acme.internal/ca"])
def test_a_ca_may_have_the_id_of_any_trust_domain_or_none(uri: str) -> None:
    assert signed_by(uri).trust == {"mesh"}
    assert signed_by().trust == {"mesh"}


@pytest.mark.parametrize(
    ("uris", "words"),
    [
        (["spiffe://acme.internal/ca"], "a path is for callers"),
        (["spiffe://acme.internal", "https://a.example"], "2 URI SANs"),
        (["SPIFFE://acme.internal"], "Issuing"),
        (["spiffe://acme.internal/"], "Issuing"),
    ],
)
def test_a_caller_below_a_ca_with_another_spiffe_id_is_refused(uris: list[str], words: str) -> None:
    found = signed_by(*uris)
    assert (found.reason, found.trust) == (Reason.SVID_INVALID, frozenset())
    assert words in found.problem


def test_a_ca_with_a_spiffe_id_needs_a_key_usage() -> None:
    assert signed_by("spiffe://acme.internal", usage=None).reason is Reason.SVID_INVALID
    assert signed_by(usage=None).trust == {"mesh"}


def test_another_path_without_such_a_ca_is_enough() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    spoilt, sound = (
        authority("Issuing", issuer=MESH, usage=SIGNING, key=key, extra=extra)
        for extra in ([alternative_names(uri=["spiffe://acme.internal/ca"])], [])
    )
    leaf = certificate("x", issuer=spoilt, extensions=[alternative_names(uri=["spiffe://acme.internal/a"]), SIGNS])
    for cas, trust in (((spoilt,), frozenset()), ((spoilt, sound), {"mesh"})):
        entry = TrustEntry("mesh", (MESH.parsed,), tuple(ca.parsed for ca in cas), DOMAIN)
        store = TrustStore([entry])
        assert store.standing(leaf.presented, NOW.timestamp()).trust == trust
        examined = examination_from_presented(leaf.presented, NOW.timestamp(), store)
        assert (examined.entries[0].reason is None) is bool(trust)


def test_an_entry_without_a_trust_domain_asks_nothing_of_its_cas() -> None:
    root = authority("Root", extra=[alternative_names(uri=["spiffe://acme.internal/ca"])])
    found = TrustStore([TrustEntry("any", (root.parsed,))]).standing(
        certificate("x", issuer=root).presented, NOW.timestamp()
    )
    assert found.trust == {"any"}
