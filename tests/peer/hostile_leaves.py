"""Leaves that mean harm, by the kind of malice.

Where a bad signature would hide the fault, a CA that the store trusts has signed it: a CA may be careless, and copy
what an applicant wrote.
"""

from random import Random

from policies.peer import der
from tests.peer.forge import tlv
from tests.peer.hostile_der import (
    AKI,
    BASIC,
    CA_YES,
    CLIENT_AUTH,
    CONSTRAINTS,
    ED25519,
    EXTENDED,
    RSA,
    SAN,
    SKI,
    USAGE,
    Hostile,
    body,
    dns,
    extension,
    honest,
    named,
    san,
    signed,
    uri,
)


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

_SPOILERS = (
    b"\x00",
    b"\n",
    b"\r",
    b"\x1b[2J",
    b"\x7f",
    b"\x80",
    b"\xff",
    "é".encode(),
    b"*",
    b"",
    b" ",
    b'"',
    b",URI=spiffe://td/a",
)


def spoiled_names(random: Random) -> Hostile:
    """NUL, control and other bytes in SANs of every type."""
    tags = (0x81, 0x82, 0x86, 0x87, 0x88, 0xA0, 0xA4, 0x85, 0x89, 0xA3)
    names = [
        tlv(
            random.choice(tags),
            b"a.example"[: random.randrange(10)] + random.choice(_SPOILERS) + b"b"[: random.randrange(2)],
        )
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
    exponent = tlv(
        0x02, random.choice((b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\x01\x00\x01", b"\x01" * 5, b"\x01" * 2_000))
    )
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
    serial = random.choice(
        (b"", b"\x00", b"\xff", b"\x00\x01", b"\x7f" * random.randint(1, 12_000), random.randbytes(20))
    )
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
