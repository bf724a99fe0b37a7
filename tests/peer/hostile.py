"""Certificates made to hurt whoever reads them. Number and seed decide every byte, but for ECDSA signatures.

Each family is a kind of malice. Where a fault would otherwise be hidden behind a bad signature, a CA that the store
trusts has signed it: a CA may be careless, or an issuer may copy what the applicant wrote.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from policies.peer import der
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
    own = san(dns(b"a%d.example" % random.getrandbits(40)), uri(b"spiffe://td.example/a"), tlv(0x87, b"\x0a\x00\x00\x01"))
    usage = extension(USAGE, tlv(0x03, b"\x07\x80"), critical=True)
    return body(
        serial=b"\x01" + random.randbytes(8),
        extensions=[own, usage, extension(EXTENDED, CLIENT_AUTH), extension(BASIC, tlv(0x30)), *extensions],
    )


# Bytes.


def flipped(random: Random) -> Hostile:
    pristine = signed(honest(random))
    data = bytearray(pristine)
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] = random.randrange(256)
    return Hostile(bytes(data), pristine=pristine)


def torn(random: Random) -> Hostile:
    """Cut off, doubled in part, or spliced with noise."""
    pristine = signed(honest(random))
    at, to = sorted(random.randrange(len(pristine) + 1) for _ in range(2))
    kinds = (pristine[:at], pristine[:to] + pristine[at:], pristine[:at] + random.randbytes(to - at) + pristine[to:])
    return Hostile(random.choice(kinds), pristine=pristine)


def noise(random: Random) -> Hostile:
    """Nested elements of nothing, or mere bytes; up to the limit and above it."""
    size = random.choice((0, 1, 2, 100, 5_000, 16_000, 40_000))
    if random.random() < 0.5:
        return Hostile(random.randbytes(size))
    data = b""
    while len(data) < size:
        data = tlv(random.choice((0x30, 0x31, 0xA0)), data)
    return Hostile(data)


def rebuilt(random: Random) -> Hostile:
    """Elements changed, doubled, dropped or swapped inside of what the CA then signs."""
    return Hostile(signed(_changed(random, honest(random))))


def _changed(random: Random, data: bytes) -> bytes:
    try:
        (top,) = der.elements(data)
        parts = [part.raw for part in der.elements(top.value)] if top.tag & 0x20 or top.tag == 0x04 else []
    except (der.DerError, ValueError):
        parts = []
    if not parts or random.random() < 0.2:
        return _other(random, data)
    at = random.randrange(len(parts))
    match random.randrange(8):
        case 0:
            parts.insert(at, parts[at])
        case 1:
            del parts[at]
        case 2:
            random.shuffle(parts)
        case _:
            parts[at] = _changed(random, parts[at])
    return tlv(top.tag, *parts)


def _other(random: Random, data: bytes) -> bytes:
    tag, content = data[0], data[2:] if len(data) > 2 and data[1] < 0x80 else b""
    match random.randrange(5):
        case 0:
            return tlv(random.choice((0x01, 0x02, 0x04, 0x06, 0x0C, 0x17, 0x30, 0x31, 0x80, 0x82, 0x86, 0xA0)), content)
        case 1:
            return tlv(tag)
        case 2:
            return tlv(tag, content, random.randbytes(random.randint(1, 300)))
        case 3:
            return tlv(tag, random.randbytes(len(content)))
        case _:
            return random.randbytes(random.randint(0, 20))


# Names.

_SPOILERS = (b"\x00", b"\n", b"\r", b"\x1b[2J", b"\x7f", b"\x80", b"\xff", "é".encode(), b"*", b"", b" ", b'"', b",URI=spiffe://td/a")


def spoiled_names(random: Random) -> Hostile:
    """NUL, control and other bytes in SANs of every type."""
    tags = (0x81, 0x82, 0x86, 0x87, 0x88, 0xA0, 0xA4, 0x85, 0x89, 0xA3)
    names = [
        tlv(random.choice(tags), b"a.example"[: random.randrange(10)] + random.choice(_SPOILERS) + b"b"[: random.randrange(2)])
        for _ in range(random.randint(1, 5))
    ]
    return Hostile(signed(body(serial=b"\x01" + random.randbytes(8), extensions=[san(*names)])))


def many_names(random: Random) -> Hostile:
    """Up to 5 000 SANs: at the limit, just above it, and above that of bytes."""
    count = random.choice((63, 64, 65, 66, 500, 1_000, 5_000))
    make = random.choice((dns, uri, lambda value: tlv(0x81, value), lambda value: tlv(0xA4, named(value))))
    return Hostile(signed(body(extensions=[san(*(make(b"a%d@b.c" % number) for number in range(count)))])))


def odd_subjects(random: Random) -> Hostile:
    """Strings of every type with contents that are not of it; some grow eighteen-fold when they are prepared."""
    contents = (
        "ﷺ".encode() * random.randint(1, 5_000),
        "ß".encode() * random.randint(1, 5_000),
        b"\xed\xa0\x80",
        b"\xd8\x00\xdc\x00\xd8",
        b"a\x00b",
        b"\xff" * random.randint(1, 9_000),
        b" " * random.randint(1, 9_000),
        b"",
    )
    tag = random.choice((0x0C, 0x12, 0x13, 0x14, 0x16, 0x1A, 0x1C, 0x1E, 0x04, 0x02))
    subject = named(*(random.choice(contents) for _ in range(random.choice((1, 1, 2, 64, 65)))), tag=tag)
    return Hostile(signed(body(serial=b"\x01" + random.randbytes(8), subject=subject)))


# Extensions, keys, numbers.


def extension_soup(random: Random) -> Hostile:
    """Doubled, empty, wrong, huge and unknown extensions."""
    known = (SAN, BASIC, USAGE, EXTENDED, CONSTRAINTS, SKI, AKI, b"\x2a\x03\x04", b"\x55\x1d\x20", b"\x88\x37" * 40)
    contents = (
        b"",
        b"\x30\x00",
        CA_YES,
        CLIENT_AUTH,
        tlv(0x30, *(tlv(0x06, b"\x2a" + bytes((number % 128,))) for number in range(random.randint(1, 400)))),
        tlv(0x30, tlv(0xA0, *(tlv(0x30, dns(b"d%d" % number)) for number in range(random.randint(1, 400))))),
        tlv(0x03, b"\x00" * 5),
        random.randbytes(random.randint(1, 2_000)),
    )
    found = [
        extension(random.choice(known), random.choice(contents), critical=random.random() < 0.3)
        for _ in range(random.choice((1, 2, 2, 3, 64, 65, 200)))
    ]
    return Hostile(signed(honest(random, *found) if random.random() < 0.5 else body(extensions=found)))


def odd_keys(random: Random) -> Hostile:
    """RSA numbers of up to 100 000 bits, zero, one and even; points off the curve; algorithms that do not exist."""
    size = random.choice((0, 1, 64, 128, 255, 256, 512, 1_024, 1_025, 4_000, 12_500))
    modulus = tlv(0x02, b"\x00" + (b"\x80" + random.randbytes(size))[:size] + random.choice((b"\x00", b"\x01")))
    exponent = tlv(0x02, random.choice((b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\x01\x00\x01", b"\x01" * 5, b"\x01" * 2_000)))
    p256 = tlv(0x30, tlv(0x06, bytes.fromhex("2a8648ce3d0201")), tlv(0x06, bytes.fromhex("2a8648ce3d030107")))
    spki = random.choice(
        (
            tlv(0x30, RSA, tlv(0x03, b"\x00", tlv(0x30, modulus, exponent))),
            tlv(0x30, RSA, tlv(0x03, b"\x00", tlv(0x30, modulus, exponent))),
            tlv(0x30, p256, tlv(0x03, b"\x00", random.choice((b"\x04", b"\x02", b"\x00")), random.randbytes(64))),
            tlv(0x30, ED25519, tlv(0x03, b"\x00", random.randbytes(random.choice((0, 31, 32, 33, 8_000))))),
            tlv(0x30, tlv(0x30, tlv(0x06, random.randbytes(random.randint(1, 80)))), tlv(0x03, b"\x00")),
        )
    )
    return Hostile(signed(body(serial=b"\x01" + random.randbytes(8), spki=spki)))


def odd_numbers(random: Random) -> Hostile:
    """Serial numbers and dates at and beyond what can be told."""
    serial = random.choice((b"", b"\x00", b"\xff", b"\x00\x01", b"\x7f" * random.randint(1, 12_000), random.randbytes(20)))
    times = (
        b"260501000000Z",
        b"000101000000Z",
        b"99991231235959Z",
        b"00000101000000Z",
        b"20260230000000Z",
        b"2026",
        b"",
        b"\x00" * 15,
        b"260501000000+9999",
    )
    validity = b"".join(tlv(random.choice((0x17, 0x18)), random.choice(times)) for _ in range(2))
    return Hostile(signed(body(serial=serial, validity=validity)))


# Chains.


def _authority(name: bytes, key: ed25519.Ed25519PrivateKey, issuer: bytes, signer: ed25519.Ed25519PrivateKey) -> bytes:
    tbs = body(subject=named(name), issuer=named(issuer), spki=spki_of(key), extensions=[extension(BASIC, CA_YES)])
    return signed(tbs, signer)


@cache
def _tower() -> tuple[bytes, ...]:
    """200 CAs, each below the one before; the first is below nothing."""
    return tuple(
        _authority(b"CA %d" % level, key_of(100 + level), b"CA %d" % max(level - 1, 0), key_of(100 + max(level - 1, 0)))
        for level in range(200)
    )


def deep_chains(random: Random) -> Hostile:
    """A leaf below 200 CAs, all or some of which are presented, in order or not."""
    leaf = signed(body(serial=b"\x01" + random.randbytes(8), issuer=named(b"CA 199")), key_of(299))
    shown = list(_tower()[::-1][: random.choice((1, 7, 8, 9, 200))])
    if random.random() < 0.5:
        random.shuffle(shown)
    return Hostile(leaf, tuple(shown))


@cache
def _tangle() -> tuple[bytes, ...]:
    """CAs of one name with eight keys, each signed by each: eight ways to go on from every step."""
    return tuple(_authority(b"Evil", key_of(10 + a), b"Evil", key_of(10 + b)) for a in range(8) for b in range(8) if a != b)


def tangles(random: Random) -> Hostile:
    """Paths that multiply at every step and lead nowhere."""
    leaf = signed(body(serial=b"\x01" + random.randbytes(8), issuer=named(b"Evil")), key_of(10 + random.randrange(9)))
    return Hostile(leaf, tuple(random.sample(_tangle(), 8)))


@cache
def _slow_keys() -> tuple[ec.EllipticCurvePrivateKey, ...]:
    return tuple(ec.derive_private_key(1_000_003 + number, ec.BrainpoolP512R1()) for number in range(8))


def _slow(tbs: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    return tlv(0x30, tbs, ECDSA_SHA256, tlv(0x03, b"\x00", key.sign(tbs, ec.ECDSA(hashes.SHA256()))))


@cache
def _slow_tangle() -> tuple[bytes, ...]:
    keys, name = _slow_keys(), named(b"Slow")
    return tuple(
        _slow(
            body(issuer=name, subject=name, spki=spki_of(a), extensions=[extension(BASIC, CA_YES)], algorithm=ECDSA_SHA256),
            b,
        )
        for a in keys
        for b in keys
        if a is not b
    )


def slow_tangles(random: Random) -> Hostile:
    """The same with the curve whose signatures take longest to verify."""
    tbs = body(serial=b"\x01" + random.randbytes(8), issuer=named(b"Slow"), algorithm=ECDSA_SHA256)
    return Hostile(_slow(tbs, random.choice(_slow_keys())), tuple(random.sample(_slow_tangle(), 8)))


def odd_company(random: Random) -> Hostile:
    """An honest leaf with itself, its anchor, noise or doubles as intermediates: it may be accepted."""
    leaf = signed(honest(random))
    others = (leaf, ANCHOR, b"", random.randbytes(500), flipped(random).leaf, random.choice(_tower()))
    return Hostile(leaf, tuple(random.choice(others) for _ in range(random.randint(1, 8))), pristine=leaf)


#: Every family, and how many of a hundred are of it.
FAMILIES: Mapping[Callable[[Random], Hostile], int] = {
    flipped: 14,
    torn: 10,
    noise: 4,
    rebuilt: 24,
    spoiled_names: 8,
    many_names: 4,
    odd_subjects: 6,
    extension_soup: 10,
    odd_keys: 6,
    odd_numbers: 4,
    deep_chains: 3,
    tangles: 3,
    slow_tangles: 1,
    odd_company: 3,
}
_SCHEDULE = [family for family, share in FAMILIES.items() for _ in range(share)]


def hostile(number: int) -> tuple[str, Hostile]:
    """Certificate `number` of as many as one wants, and the name of its family."""
    family = _SCHEDULE[number * 37 % len(_SCHEDULE)]
    return family.__name__, family(Random(number))
