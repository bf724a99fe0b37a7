"""The key that a JWK tells, held against the key of the certificate which it carries.

RFC 7517 §4.7: the first certificate of `x5c` has the key that the other members describe. RFC 7518 §6.2.1 and §6.3.1,
RFC 8037 §2: these members, base64url without padding, all of them required.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

#: RFC 7518 §6.2.1.1 and RFC 8812 §3.1, by the names that cryptography gives to curves.
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
#: Characters of one member: RSA of 16 384 bits, which no CA here may have.
_MAX_CHARS = 2732


def key_mismatch(entry: Mapping[str, object], key: CertificatePublicKeyTypes | None) -> str:
    """Why `entry`, a JWK, does not describe `key`, in words; empty if it does."""
    kind, words, numbers = _described(key)
    if entry.get("kty") != kind:
        return f"its `kty` is not {kind or 'one'} of its certificate"
    for name, word in words.items():
        if entry.get(name) != word:
            return f"its `{name}` is not {word!r}, that of its certificate"
    for name, number in numbers.items():
        if _number(entry.get(name)) != number:
            return f"its `{name}` is not that of its certificate"
    return ""


def _described(key: CertificatePublicKeyTypes | None) -> tuple[str, dict[str, str], dict[str, int]]:
    """`kty`, and the other members that are words and that are numbers. An empty `kty`: no JWK can say it."""
    match key:
        case ec.EllipticCurvePublicKey() if key.curve.name in _CURVES:
            point = key.public_numbers()
            return "EC", {"crv": _CURVES[key.curve.name]}, {"x": point.x, "y": point.y}
        case rsa.RSAPublicKey():
            numbers = key.public_numbers()
            return "RSA", {}, {"n": numbers.n, "e": numbers.e}
        case ed25519.Ed25519PublicKey():
            return "OKP", {"crv": "Ed25519"}, {"x": int.from_bytes(key.public_bytes_raw())}
        case ed448.Ed448PublicKey():
            return "OKP", {"crv": "Ed448"}, {"x": int.from_bytes(key.public_bytes_raw())}
    return "", {}, {}


def _number(value: object) -> int | None:
    """The octets of a member as a big-endian number; None if it has none."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_CHARS or not value.isascii():
        return None
    try:
        octets = b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True)
    except binascii.Error:
        return None
    return int.from_bytes(octets)
