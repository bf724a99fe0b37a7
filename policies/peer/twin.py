"""The other form of a certificate that is signed with ECDSA.

An ECDSA signature (r, s) verifies just as well as (r, n - s). Whoever holds a certificate can turn one into the other
without any key: the same certificate, with another SHA-256. A rule about a fingerprint means both.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from policies.peer import der
from policies.peer.digest import sha256

_CURVES: tuple[ec.EllipticCurve, ...] = (
    ec.SECP224R1(),
    ec.SECP256R1(),
    ec.SECP384R1(),
    ec.SECP521R1(),
    ec.SECP256K1(),
    ec.BrainpoolP256R1(),
    ec.BrainpoolP384R1(),
    ec.BrainpoolP512R1(),
)
#: The orders of the groups that a CA's key may be in: which one it is, only its certificate says.
_ORDERS = tuple(sorted({curve.group_order for curve in _CURVES}))
_BIT_STRING = 0x03


def twin_digests(data: bytes, source: x509.Certificate) -> tuple[bytes, ...]:
    """SHA-256 of every form that the certificate `data` could have with the other signature; empty if not ECDSA."""
    if not isinstance(source.signature_algorithm_parameters, ec.ECDSA):
        return ()
    try:
        r, s = decode_dss_signature(source.signature)
    except ValueError:
        return ()
    signed = b"".join(part.raw for part in der.children(der.only(data, der.SEQUENCE), 3)[:2])
    twins = (encode_dss_signature(r, order - s) for order in _ORDERS if 0 < s < order)
    return tuple(sha256(_element(der.SEQUENCE, signed + _element(_BIT_STRING, b"\0" + twin))) for twin in twins)


def _element(tag: int, content: bytes) -> bytes:
    """DER (X.690 §8.1.3): tag, shortest length, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
