"""Blind changes to bytes: the kinds that broken and hostile senders make."""

from collections.abc import Callable, Sequence
from random import Random

#: Bytes of one input. Longer ones would only test the limits, which are checked first.
MAX_INPUT_BYTES = 20_000
_EDGES = (0x00, 0x01, 0x0A, 0x0D, 0x20, 0x22, 0x25, 0x2C, 0x2F, 0x3B, 0x5C, 0x7F, 0x80, 0xC0, 0xFF)

_Change = Callable[[Random, bytearray, Sequence[bytes]], None]


def mutated(random: Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """One of `seeds` after one to eight changes; now and then bytes that never were a good input."""
    if random.random() < 0.01:
        return random.randbytes(random.randrange(64))
    data = bytearray(random.choice(seeds))
    for _ in range(1 + min(7, int(random.expovariate(0.6)))):
        random.choice(_CHANGES)(random, data, tokens or seeds)
    if random.random() < 0.05:
        data = _spliced(random, data, random.choice(seeds))
    return bytes(data[:MAX_INPUT_BYTES])


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _overwrite(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(_EDGES) if random.random() < 0.5 else random.randrange(256)


def _insert(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    data.insert(random.randint(0, len(data)), random.choice(_EDGES))


def _insert_token(random: Random, data: bytearray, tokens: Sequence[bytes]) -> None:
    place = random.randint(0, len(data))
    data[place:place] = random.choice(tokens)[:MAX_INPUT_BYTES]


def _replace_with_token(random: Random, data: bytearray, tokens: Sequence[bytes]) -> None:
    start, end = _range(random, data)
    data[start:end] = random.choice(tokens)[:MAX_INPUT_BYTES]


def _delete(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start, end = _range(random, data)
    del data[start:end]


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    start, end = _range(random, data)
    data[end:end] = data[start:end] * random.choice((1, 1, 2, 70))
    del data[MAX_INPUT_BYTES:]


def _swap(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    (start, end), other = _range(random, data), random.randint(0, len(data))
    piece = data[start:end]
    del data[start:end]
    data[other:other] = piece


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[random.randint(0, len(data)) :]


def _range(random: Random, data: bytearray) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + 1 + int(random.expovariate(0.1)))


def _spliced(random: Random, data: bytearray, other: bytes) -> bytearray:
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


_CHANGES: tuple[_Change, ...] = (
    _flip,
    _overwrite,
    _overwrite,
    _insert,
    _insert_token,
    _insert_token,
    _replace_with_token,
    _replace_with_token,
    _delete,
    _repeat,
    _swap,
    _cut,
)
