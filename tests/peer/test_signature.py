"""Which keys and signatures count."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from policies.peer.signature import Signature, key_kind, key_weakness
from tests.peer.forge import Sha2, certificate


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_ecdsa_with_sha_2_verifies_by_the_key_that_signed(algorithm: Sha2) -> None:
    forged = certificate(hash_algorithm=algorithm)
    assert forged.parsed.signature.weakness == ""
    assert forged.parsed.signature.verifies(forged.key.public_key())
    assert not forged.parsed.signature.verifies(ec.generate_private_key(ec.SECP256R1()).public_key())


def test_rsa_pkcs1_and_pss_verify(rsa_key: rsa.RSAPrivateKey) -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    for scheme in (padding.PKCS1v15(), pss):
        assert certificate(key=rsa_key, rsa_padding=scheme).parsed.signature.verifies(rsa_key.public_key())


def test_ed25519_and_ed448_verify_and_are_not_taken_for_each_other() -> None:
    small, big = ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()
    by_small, by_big = (certificate(key=key, pure=True).parsed.signature for key in (small, big))
    assert (by_small.weakness, by_big.weakness) == ("", "")
    assert by_small.verifies(small.public_key())
    assert by_big.verifies(big.public_key())
    assert not by_small.verifies(big.public_key())
    assert not by_big.verifies(small.public_key())


def test_sha_1_is_weak_and_verifies_nothing(rsa_key: rsa.RSAPrivateKey) -> None:
    strong = certificate(key=rsa_key).parsed.signature
    for weak in (hashes.SHA1(), hashes.MD5(), hashes.SHA224()):
        value = rsa_key.sign(b"signed", padding.PKCS1v15(), weak)
        signature = Signature(strong.oid, padding.PKCS1v15(), weak, value, b"signed")
        assert weak.name.upper() in signature.weakness
        assert not signature.verifies(rsa_key.public_key())


def test_a_signature_of_an_unknown_algorithm_is_weak() -> None:
    signature = Signature(x509.ObjectIdentifier("1.2.3"), None, None, b"", b"")
    assert "1.2.3" in signature.weakness
    assert not signature.verifies(ed25519.Ed25519PrivateKey.generate().public_key())


def test_a_scheme_of_another_key_type_verifies_nothing(rsa_key: rsa.RSAPrivateKey) -> None:
    forged = certificate()
    assert not forged.parsed.signature.verifies(rsa_key.public_key())
    assert not forged.parsed.signature.verifies(None)


def test_a_changed_byte_in_signature_or_content_verifies_nothing() -> None:
    forged = certificate()
    signature = forged.parsed.signature
    for changed in (
        Signature(signature.oid, signature.scheme, signature.hash, signature.value + b"\x00", signature.signed),
        Signature(signature.oid, signature.scheme, signature.hash, b"", signature.signed),
        Signature(signature.oid, signature.scheme, signature.hash, signature.value, signature.signed + b"\x00"),
    ):
        assert not changed.verifies(forged.key.public_key())


def test_rsa_under_2048_bits_is_weak() -> None:
    key = rsa.generate_private_key(65537, 1024).public_key()
    assert "1024 bits" in key_weakness(key)
    assert key_kind(key) == "RSA 1024"


def test_rsa_over_8192_bits_costs_too_much(rsa_key: rsa.RSAPrivateKey) -> None:
    huge = rsa.RSAPublicNumbers(65537, (1 << 8200) + 1).public_key()
    assert "8208" not in key_weakness(rsa_key.public_key())
    assert "8201 bits" in key_weakness(huge)


def test_rsa_with_a_huge_exponent_costs_too_much(rsa_key: rsa.RSAPrivateKey) -> None:
    numbers = rsa_key.public_key().public_numbers()
    assert "exponent" in key_weakness(rsa.RSAPublicNumbers((1 << 40) + 1, numbers.n).public_key())


def test_small_curves_and_other_kinds_of_key_are_weak() -> None:
    assert "192 bits" in key_weakness(ec.generate_private_key(ec.SECP192R1()).public_key())
    assert "kind" in key_weakness(dsa.generate_private_key(1024).public_key())
    assert "kind" in key_weakness(None)
    assert key_kind(None) == "unsupported"


@pytest.mark.parametrize("curve", [ec.SECP224R1(), ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_curves_of_224_bits_and_more_are_fine(curve: ec.EllipticCurve) -> None:
    assert key_weakness(ec.generate_private_key(curve).public_key()) == ""
