"""A JWK and the certificate it carries tell one key, or the entry is refused."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from pki.authority import Authority
from policies.peer.errors import SpiffeBundleError
from policies.peer.jwk import key_mismatch
from policies.peer.spiffe_bundle import bundle_from_bytes
from tests.support.spiffe_bundles import base64url, bundle, entry_of

CA, OTHER = Authority.root("ca"), Authority.root("other")
RSA = rsa.generate_private_key(65537, 2048).public_key()
ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()
ED448 = ed448.Ed448PrivateKey.generate().public_key()
P521 = ec.generate_private_key(ec.SECP521R1()).public_key()
N = base64url(RSA.public_numbers().n.to_bytes(256))
X = base64url(ED25519.public_bytes_raw())


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"kty": "RSA", "n": N, "e": "AQAB"}, RSA),
        ({"kty": "OKP", "crv": "Ed25519", "x": X}, ED25519),
        ({"kty": "OKP", "crv": "Ed448", "x": base64url(ED448.public_bytes_raw())}, ED448),
        (
            {
                "kty": "EC",
                "crv": "P-521",
                "x": base64url(P521.public_numbers().x.to_bytes(66)),
                "y": base64url(P521.public_numbers().y.to_bytes(66)),
            },
            P521,
        ),
    ],
    ids=["RSA", "Ed25519", "Ed448", "P-521"],
)
def test_a_jwk_of_the_same_key_is_accepted(entry: dict[str, Any], key: CertificatePublicKeyTypes) -> None:
    assert key_mismatch(entry, key) == ""
    for name in entry:
        assert f"`{name}`" in key_mismatch(entry | {name: "AAAA"}, key)
        assert f"`{name}`" in key_mismatch({other: entry[other] for other in entry if other != name}, key)


@pytest.mark.parametrize("value", [None, 7, "", "é", "A", "A" * 3000, ["AQAB"], N[:-1]])
def test_a_member_that_is_no_number_is_a_mismatch(value: object) -> None:
    assert key_mismatch({"kty": "RSA", "n": value, "e": "AQAB"}, RSA) == "its `n` is not that of its certificate"


@pytest.mark.parametrize("key", [None, ec.generate_private_key(ec.SECP224R1()).public_key()], ids=["none", "P-224"])
def test_a_key_that_no_jwk_can_tell_matches_nothing(key: CertificatePublicKeyTypes | None) -> None:
    assert key_mismatch(entry_of(CA), key) == "its `kty` is not one of its certificate"


@pytest.mark.parametrize("names", [("x",), ("y",), ("x", "y"), ("x5c",)])
def test_an_entry_with_the_key_of_one_ca_and_the_certificate_of_another_is_an_error(names: tuple[str, ...]) -> None:
    mixed = entry_of(CA) | {name: entry_of(OTHER)[name] for name in names}
    with pytest.raises(SpiffeBundleError, match=r"entry 2 of `keys`, 'CN=(ca|other)': its `[xy]` is not"):
        bundle_from_bytes(bundle(entry_of(OTHER), mixed))
