"""What `docs/trust.md` says of the verifier of cryptography, so that it stays true or is taken back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from tests.peer import pkits
from tests.peer.forge import (
    NOW,
    Extension,
    Forged,
    alternative_names,
    authority,
    certificate,
    key_usage,
    named,
)
from tests.peer.test_pkits import path_problem

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
SIGNS = key_usage("key_cert_sign", "crl_sign")
ROOT = authority("Root", usage=SIGNS)
NAMED = alternative_names(dns=["a.acme.example"])


def identifier(issuer: Forged) -> Extension:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False


def leaf(issuer: Forged, *extensions: Extension, name: str = "x", **given: object) -> Forged:
    return certificate(name, issuer=issuer, extensions=[identifier(issuer), *extensions], **given)  # type: ignore[arg-type]  # as of `certificate`


def builder(anchor: x509.Certificate, time: datetime) -> PolicyBuilder:
    return PolicyBuilder().store(Store([anchor])).time(time)


def opened(policy: PolicyBuilder) -> PolicyBuilder:
    """Without its profile of extensions, as far as it lets one."""
    cas = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    return policy.extension_policies(ca_policy=cas, ee_policy=ExtensionPolicy.permit_all())


def accepts(peer: Forged, *cas: Forged, anchor: Forged = ROOT) -> bool:
    """With the profile of extensions opened: what is refused is refused for good."""
    verifier = opened(builder(anchor.certificate, NOW)).build_client_verifier()
    try:
        verifier.verify(peer.certificate, [ca.certificate for ca in cas])
    except VerificationError:
        return False
    return True


def test_it_accepts_an_ordinary_chain() -> None:
    issuer = authority("Issuer", issuer=ROOT, usage=SIGNS)
    assert accepts(leaf(issuer, NAMED), issuer)


def test_it_refuses_ed25519() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    basic: Extension = (x509.BasicConstraints(ca=True, path_length=None), True)
    root = certificate("Root", key=key, pure=True, extensions=[basic, (SIGNS, True)])
    assert not accepts(leaf(root, NAMED, pure=True), anchor=root)


def test_it_refuses_issuer_names_that_are_equal_but_for_case() -> None:
    other = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ROOT")])
    assert not accepts(leaf(ROOT, NAMED, issuer_name=other))


@pytest.mark.parametrize(
    "base", [x509.DirectoryName(named("x")), x509.UniformResourceIdentifier("acme.example")], ids=["name", "uri"]
)
def test_it_refuses_name_constraints_on_directory_names_and_uris(base: x509.GeneralName) -> None:
    permitted: Extension = (x509.NameConstraints([base], None), True)
    issuer = authority("Issuer", issuer=ROOT, usage=SIGNS, extra=[permitted])
    assert not accepts(leaf(issuer, alternative_names(uri=["https://acme.example/a"])), issuer)


def test_it_accepts_short_keys_and_wildcards_of_a_leaf() -> None:
    assert accepts(leaf(ROOT, NAMED, key=rsa.generate_private_key(65537, 1024)))
    assert accepts(leaf(ROOT, alternative_names(dns=["*.acme.example"])))


def test_of_pkits_it_refuses_as_much_as_the_documentation_says() -> None:
    anchor = x509.load_der_x509_certificate(pkits.certificate_der("TrustAnchorRootCertificate"))
    policy = builder(anchor, datetime.fromtimestamp(pkits.TIME, UTC))
    cases = [case for case in pkits.CASES if case.valid or (path_problem(case) and case.section not in ("4.4", "4.14"))]
    refused, accepted = [], []
    for profile in (policy, opened(policy)):
        verdicts = {case: verified(profile, case) for case in cases}
        refused.append(sum(case.valid and not verdicts[case] for case in cases))
        accepted.append([case.number for case in cases if verdicts[case] and not case.valid])
    assert accepted == [[], ["4.7.1", "4.7.2"]]
    assert f"{refused[0]} of the 68 valid" in PAGE.read_text()
    assert f"{refused[1]} of the 68" in PAGE.read_text()


def verified(policy: PolicyBuilder, case: pkits.Case) -> bool:
    try:
        first, *cas = [x509.load_der_x509_certificate(pkits.certificate_der(name)) for name in (case.leaf, *case.cas)]
        policy.build_client_verifier().verify(first, cas)
    except (ValueError, VerificationError):
        return False
    return True
