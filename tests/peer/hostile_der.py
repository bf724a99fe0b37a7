"""DER for certificates that mean harm: every field as one likes it, signed by a CA that the store trusts."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.peer.forge import tlv

ED25519 = tlv(0x30, tlv(0x06, b"\x2b\x65\x70"))
ECDSA_SHA256 = tlv(0x30, tlv(0x06, bytes.fromhex("2a8648ce3d040302")))
RSA = tlv(0x30, tlv(0x06, bytes.fromhex("2a864886f70d010101")), tlv(0x05))
COMMON_NAME, SAN, BASIC, USAGE, EXTENDED, CONSTRAINTS, SKI, AKI = (
    b"\x55\x04\x03",
    *(b"\x55\x1d" + bytes((last,)) for last in (17, 19, 15, 37, 30, 14, 35)),
)
CLIENT_AUTH = tlv(0x30, tlv(0x06, bytes.fromhex("2b06010505070302")))
CA_YES = tlv(0x30, tlv(0x01, b"\xff"))
START, END = tlv(0x17, b"260501000000Z"), tlv(0x17, b"270501000000Z")


@dataclass(frozen=True)
class Hostile:
    """What a peer presents. `pristine`: the certificate that it was made from, which may be accepted."""

    leaf: bytes
    intermediates: tuple[bytes, ...] = ()
    pristine: bytes = b""


def named(*values: bytes, tag: int = 0x0C) -> bytes:
    """A Name with a common name of each of these values."""
    return tlv(0x30, *(tlv(0x31, tlv(0x30, tlv(0x06, COMMON_NAME), tlv(tag, value))) for value in values))


def extension(oid: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return tlv(0x30, tlv(0x06, oid), *([tlv(0x01, b"\xff")] if critical else []), tlv(0x04, value))


def key_of(number: int) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))


def spki_of(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


CA_KEY, CA_NAME, LEAF_SPKI = key_of(1), named(b"Careless CA"), spki_of(key_of(2))


def body(
    *,
    serial: bytes = b"\x11",
    issuer: bytes = CA_NAME,
    validity: bytes = START + END,
    subject: bytes = named(b"x"),
    spki: bytes = LEAF_SPKI,
    extensions: Sequence[bytes] = (),
    algorithm: bytes = ED25519,
) -> bytes:
    """A TBSCertificate (RFC 5280 §4.1)."""
    listed = [tlv(0xA3, tlv(0x30, *extensions))] if extensions else []
    version = tlv(0xA0, tlv(0x02, b"\x02"))
    return tlv(0x30, version, tlv(0x02, serial), algorithm, issuer, tlv(0x30, validity), subject, spki, *listed)


def signed(tbs: bytes, key: ed25519.Ed25519PrivateKey = CA_KEY) -> bytes:
    return tlv(0x30, tbs, ED25519, tlv(0x03, b"\x00", key.sign(tbs)))


#: The one anchor of the store.
ANCHOR = signed(body(serial=b"\x01", subject=CA_NAME, spki=spki_of(CA_KEY), extensions=[extension(BASIC, CA_YES)]))


def dns(value: bytes) -> bytes:
    return tlv(0x82, value)


def uri(value: bytes) -> bytes:
    return tlv(0x86, value)


def san(*names: bytes) -> bytes:
    return extension(SAN, tlv(0x30, *names))


def honest(random: Random, *extensions: bytes) -> bytes:
    """The body of a leaf as it should be, with a number of its own."""
    name = b"a%d.example" % random.getrandbits(40)
    own = san(dns(name), uri(b"https://%b/a" % name), tlv(0x81, b"a@" + name), tlv(0x87, b"\x0a\x00\x00\x01"))
    usage = extension(USAGE, tlv(0x03, b"\x07\x80"), critical=True)
    return body(
        serial=b"\x01" + random.randbytes(8),
        extensions=[own, usage, extension(EXTENDED, CLIENT_AUTH), extension(BASIC, tlv(0x30)), *extensions],
    )
