"""Chains that mean harm: too deep, tangled, slow to verify."""

from collections.abc import Callable, Sequence
from functools import cache
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.peer.forge import tlv
from tests.peer.hostile_der import (
    ANCHOR,
    BASIC,
    CA_YES,
    CONSTRAINTS,
    ECDSA_SHA256,
    Hostile,
    body,
    dns,
    extension,
    honest,
    key_of,
    named,
    san,
    signed,
    spki_of,
    uri,
)
from tests.peer.hostile_leaves import flipped


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


def deep_chain(serial: bytes = b"\x11") -> tuple[bytes, ...]:
    """A leaf and the 200 CAs above it."""
    return (signed(body(serial=serial, issuer=named(b"CA 199")), key_of(299)), *_tower()[::-1])


def deep_chains(random: Random) -> Hostile:
    """A leaf below 200 CAs, all or some of which are presented, in order or not."""
    leaf, *above = deep_chain(b"\x01" + random.randbytes(8))
    shown = above[: random.choice((1, 7, 8, 9, 200))]
    if random.random() < 0.5:
        random.shuffle(shown)
    return Hostile(leaf, tuple(shown))


@cache
def _tangle() -> tuple[bytes, ...]:
    """CAs of one name with eight keys, each signed by each: eight ways to go on from every step."""
    return tuple(
        _authority(b"Evil", key_of(10 + a), b"Evil", key_of(10 + b)) for a in range(8) for b in range(8) if a != b
    )


def tangles(random: Random) -> Hostile:
    """Paths that multiply at every step and lead nowhere."""
    leaf = signed(body(serial=b"\x01" + random.randbytes(8), issuer=named(b"Evil")), key_of(10 + random.randrange(9)))
    return Hostile(leaf, tuple(random.sample(_tangle(), 8)))


@cache
def _slow_keys() -> tuple[ec.EllipticCurvePrivateKey, ...]:
    return tuple(ec.derive_private_key(1_000_003 + number, ec.BrainpoolP512R1()) for number in range(8))


def _slow(tbs: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    return tlv(
        0x30,
        tbs,
        ECDSA_SHA256,
        tlv(0x03, b"\x00", key.sign(tbs, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))),
    )


@cache
def _slow_tangle() -> tuple[bytes, ...]:
    keys, name = _slow_keys(), named(b"Slow")
    return tuple(
        _slow(
            body(
                issuer=name,
                subject=name,
                spki=spki_of(a),
                extensions=[extension(BASIC, CA_YES)],
                algorithm=ECDSA_SHA256,
            ),
            b,
        )
        for a in keys
        for b in keys
        if a is not b
    )


def slow_tangles(random: Random) -> Hostile:
    """The same with the curve on which it takes longest to verify."""
    tbs = body(serial=b"\x01" + random.randbytes(8), issuer=named(b"Slow"), algorithm=ECDSA_SHA256)
    return Hostile(_slow(tbs, random.choice(_slow_keys())), tuple(random.sample(_slow_tangle(), 8)))


_BASES: Sequence[tuple[Callable[[int], bytes], Callable[[int], bytes], bytes]] = (
    (lambda number: uri(b"a://b/%d" % number), lambda number: uri(b"c%d" % number), uri(b"b")),
    (lambda number: dns(b"a%d.b" % number), lambda number: dns(b"c%d" % number), dns(b"b")),
    (lambda number: tlv(0x81, b"a%d@b" % number), lambda number: tlv(0x81, b"c%d" % number), tlv(0x81, b"b")),
    (
        lambda number: tlv(0xA4, named(b"%d" % number)),
        lambda number: tlv(0xA4, named(b"c%d" % number)),
        tlv(0xA4, tlv(0x30)),
    ),
)


def _constrained(random: Random) -> tuple[bytes, bytes, int]:
    """A SAN extension, name constraints that permit its names by the last of many bases, and how many CAs fit."""
    name, base, last = random.choice(_BASES)
    excluded = [base(number) for number in range(random.choice((40, 110, 255)))]
    permitted = [*excluded, last]
    trees = (tlv(tag, *(tlv(0x30, tree) for tree in found)) for tag, found in ((0xA0, permitted), (0xA1, excluded)))
    constraints = extension(CONSTRAINTS, tlv(0x30, *trees))
    return san(*map(name, range(64))), constraints, min(8, 14_000 // len(constraints))


def constrained_tangles(random: Random) -> Hostile:
    """Tangled CAs whose name constraints are many, and a leaf with as many names."""
    names, constraints, count = _constrained(random)
    evil = named(b"Evil")
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    cas = [
        signed(
            body(
                serial=b"\x01" + random.randbytes(8),
                issuer=evil,
                subject=evil,
                spki=spki_of(key_of(10 + a)),
                extensions=[extension(BASIC, CA_YES), constraints],
            ),
            key_of(10 + b),
        )
        for a, b in pairs[:count]
    ]
    leaf = signed(body(serial=b"\x01" + random.randbytes(8), issuer=evil, extensions=[names]), key_of(10))
    return Hostile(leaf, tuple(cas))


def heavy_company(random: Random) -> Hostile:
    """Intermediates that are dear to read: names in scripts that have to be prepared, constraints made of names."""
    heavy = named(*["ﷺ".encode() * random.randint(1, 20)] * 60)
    trees = (tlv(0x30, tlv(0xA4, named(b"", b"", b"%d" % number))) for number in range(250))
    constraints = extension(CONSTRAINTS, tlv(0x30, tlv(0xA0, *trees)))
    found = []
    for _ in range(random.choice((1, 2, 8))):
        kind = random.choice(({"issuer": heavy}, {"extensions": [constraints]}))
        found.append(signed(body(serial=b"\x01" + random.randbytes(8), subject=heavy, **kind)))
    leaf = signed(honest(random))
    return Hostile(leaf, tuple(found), pristine=leaf)


def odd_company(random: Random) -> Hostile:
    """An honest leaf with itself, its anchor, noise or doubles as intermediates: it may be accepted."""
    leaf = signed(honest(random))
    others = (leaf, ANCHOR, b"", random.randbytes(500), flipped(random).leaf, random.choice(_tower()))
    return Hostile(leaf, tuple(random.choice(others) for _ in range(random.randint(1, 8))), pristine=leaf)
