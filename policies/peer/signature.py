"""Signatures on certificates and CRLs: which algorithms count, and whether one verifies. SHA-1 and MD5 never do."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import SignatureAlgorithmOID

from policies.peer.foreign import survivable
from policies.peer.limits import MAX_RSA_BITS, MAX_RSA_EXPONENT_BITS, MIN_EC_BITS, MIN_RSA_BITS

_HASHES = frozenset({"sha256", "sha384", "sha512"})
_PURE = {SignatureAlgorithmOID.ED25519: ed25519.Ed25519PublicKey, SignatureAlgorithmOID.ED448: ed448.Ed448PublicKey}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature with what it was made over.

    `scheme`: PKCS1v15 or PSS for RSA, ECDSA, or None for the pure schemes (Ed25519, Ed448), which `oid` tells apart.
    """

    oid: x509.ObjectIdentifier
    scheme: padding.PKCS1v15 | padding.PSS | ec.ECDSA | None
    hash: hashes.HashAlgorithm | None
    value: bytes
    signed: bytes

    @property
    def weakness(self) -> str:
        """Why this algorithm vouches for nothing, in words; empty if it is fine."""
        if self.oid in _PURE or (self.scheme is not None and self.hash is not None and self.hash.name in _HASHES):
            return ""
        if self.hash is not None:
            return f"it is signed with {self.hash.name.upper()}, SHA-256 or better is needed"
        return f"it is signed with an algorithm that is not accepted ({self.oid.dotted_string})"

    def verifies(self, key: CertificatePublicKeyTypes | None) -> bool:
        """Whether `key` made this signature, by an algorithm that is not weak. Never raises for bad input."""
        try:
            return not self.weakness and self._checked(key)
        except InvalidSignature:
            return False
        except BaseException as error:
            if not survivable(error):
                raise
            return False

    def _checked(self, key: CertificatePublicKeyTypes | None) -> bool:
        match key, self.scheme, self.hash:
            case rsa.RSAPublicKey(), padding.PKCS1v15() | padding.PSS(), hashes.HashAlgorithm():
                key.verify(self.value, self.signed, self.scheme, self.hash)
            case ec.EllipticCurvePublicKey(), ec.ECDSA(), hashes.HashAlgorithm():
                key.verify(self.value, self.signed, self.scheme)
            case ((ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey()), None, None) if isinstance(
                key, _PURE[self.oid]
            ):
                key.verify(self.value, self.signed)
            case _:
                return False
        return True


def signature_of(source: x509.Certificate | x509.CertificateRevocationList, signed: bytes) -> Signature:
    """The signature on `source` over `signed`. May raise what cryptography raises for malformed parameters."""
    oid = source.signature_algorithm_oid
    try:
        scheme, algorithm = source.signature_algorithm_parameters, source.signature_hash_algorithm
    except UnsupportedAlgorithm:
        scheme, algorithm = None, None
    return Signature(oid, scheme, algorithm, source.signature, signed)


def key_weakness(key: CertificatePublicKeyTypes | None) -> str:
    """Why `key` vouches for nothing, in words; empty if it is fine. None = a key of a kind that is not supported."""
    match key:
        case rsa.RSAPublicKey():
            if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
                return f"its RSA key has {key.key_size} bits, {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted"
            exponent = key.public_numbers().e.bit_length()
            return "its RSA key has a huge public exponent" if exponent > MAX_RSA_EXPONENT_BITS else ""
        case ec.EllipticCurvePublicKey():
            return f"its EC key has only {key.key_size} bits" if key.key_size < MIN_EC_BITS else ""
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return ""
        case _:
            return "its key is of a kind that is not accepted (RSA, EC, Ed25519 and Ed448 are)"


def rsa_shortness(key: CertificatePublicKeyTypes | None, least: int) -> str:
    """Why an RSA key is shorter than the `least` bits that are asked for, in words; empty if it is not, or not RSA."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < least:
        return f"its RSA key has {key.key_size} bits, {least} are asked for"
    return ""


def key_kind(key: CertificatePublicKeyTypes | None) -> str:
    """Type and size for people, such as `EC 256`."""
    match key:
        case rsa.RSAPublicKey():
            return f"RSA {key.key_size}"
        case ec.EllipticCurvePublicKey():
            return f"EC {key.key_size}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case _:
            return "unsupported"
