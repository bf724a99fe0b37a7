"""Chains that mean harm: too deep, tangled, slow to verify."""

from functools import cache
from random import Random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.peer.forge import tlv
from tests.peer.hostile_der import (
    ANCHOR,
    BASIC,
    CA_YES,
    ECDSA_SHA256,
    Hostile,
    body,
    extension,
    honest,
    key_of,
    named,
    signed,
    spki_of,
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
    return tuple(ec.derive_private_key(1_000_003 + number, ec.SECP521R1()) for number in range(8))


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
    """The same with a curve on which it takes long to verify."""
    tbs = body(serial=b"\x01" + random.randbytes(8), issuer=named(b"Slow"), algorithm=ECDSA_SHA256)
    return Hostile(_slow(tbs, random.choice(_slow_keys())), tuple(random.sample(_slow_tangle(), 8)))


def odd_company(random: Random) -> Hostile:
    """An honest leaf with itself, its anchor, noise or doubles as intermediates: it may be accepted."""
    leaf = signed(honest(random))
    others = (leaf, ANCHOR, b"", random.randbytes(500), flipped(random).leaf, random.choice(_tower()))
    return Hostile(leaf, tuple(random.choice(others) for _ in range(random.randint(1, 8))), pristine=leaf)
