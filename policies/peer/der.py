"""A strict reader of DER (X.690 §10): definite shortest lengths, low tag numbers, nothing left over.

cryptography checks the outer structure of a certificate and owns keys and signatures. This reader gives what it does
not: the bytes of names, keys and extensions as they were signed, without conversion, and with a bound on the work.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from policies.peer.limits import MAX_OID_BYTES, MAX_REMEMBERED_OIDS

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
SEQUENCE, SET = 0x30, 0x31
_LONG_TAG = 0x1F
_MAX_LENGTH_BYTES = 4


class DerError(ValueError):
    """The bytes are not the DER that was expected. Callers turn it into the error of what they read."""


class Tlv(NamedTuple):
    """One element: identifier octet, contents octets, and all octets as they stand."""

    tag: int
    value: bytes
    raw: bytes


def elements(data: bytes) -> Iterator[Tlv]:
    """The elements that `data` is a concatenation of. Raises DerError when it reaches what is none."""
    offset = 0
    while offset < len(data):
        start, end = _contents(data, offset)
        yield Tlv(data[offset], data[start:end], data[offset:end])
        offset = end


def children(data: bytes, limit: int) -> tuple[Tlv, ...]:
    """All elements of `data`, at most `limit`."""
    found: list[Tlv] = []
    for element in elements(data):
        if len(found) == limit:
            raise DerError(f"more than {limit} items")
        found.append(element)
    return tuple(found)


def only(data: bytes, tag: int) -> bytes:
    """The contents of `data`, which is exactly one element with this tag."""
    found = children(data, 2)
    if len(found) != 1 or found[0].tag != tag:
        raise DerError(f"not exactly one element with tag {tag:#04x}")
    return found[0].value


def sequence(contents: bytes) -> bytes:
    """A SEQUENCE of what is already encoded."""
    size = len(contents)
    if size < 0x80:
        return bytes((SEQUENCE, size)) + contents
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((SEQUENCE, 0x80 | len(octets))) + octets + contents


def boolean(value: bytes) -> bool:
    """Contents of a BOOLEAN: 00 or FF (X.690 §11.1)."""
    if value not in (b"\x00", b"\xff"):
        raise DerError("a BOOLEAN is neither 00 nor FF")
    return value == b"\xff"


def integer(value: bytes) -> int:
    """Contents of an INTEGER in its shortest form (X.690 §8.3)."""
    if not value or (len(value) > 1 and (value[0], value[1] >> 7) in ((0x00, 0), (0xFF, 1))):
        raise DerError("an INTEGER is empty or not in its shortest form")
    return int.from_bytes(value, "big", signed=True)


def bits(value: bytes) -> frozenset[int]:
    """Contents of a BIT STRING of named bits: the numbers of those that are set (X.690 §11.2)."""
    if not value or value[0] > 7 or (value[0] and len(value) == 1) or len(value) > 9:
        raise DerError("a BIT STRING is malformed")
    number = int.from_bytes(value[1:], "big")
    size = 8 * (len(value) - 1)
    if number & ((1 << value[0]) - 1):
        raise DerError("unused bits of a BIT STRING are set")
    return frozenset(bit for bit in range(size) if number >> (size - 1 - bit) & 1)


@lru_cache(maxsize=MAX_REMEMBERED_OIDS)
def oid(value: bytes) -> str:
    """Contents of an OBJECT IDENTIFIER, dotted (X.690 §8.19)."""
    if not value or len(value) > MAX_OID_BYTES or value[-1] & 0x80:
        raise DerError("an OBJECT IDENTIFIER is empty, too long or cut off")
    arcs: list[int] = []
    arc, fresh = 0, True
    for octet in value:
        if fresh and octet == 0x80:
            raise DerError("an OBJECT IDENTIFIER is not in its shortest form")
        arc = arc << 7 | octet & 0x7F
        fresh = not octet & 0x80
        if fresh:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _contents(data: bytes, offset: int) -> tuple[int, int]:
    """Where the contents of the element at `offset` start and end."""
    if data[offset] & _LONG_TAG == _LONG_TAG or offset + 1 >= len(data):
        raise DerError("an element has a long tag or no length")
    first, start = data[offset + 1], offset + 2
    if first < 0x80:
        length = first
    else:
        count = first & 0x7F
        octets = data[start : start + count]
        length = int.from_bytes(octets, "big")
        if not 0 < count <= _MAX_LENGTH_BYTES or len(octets) != count or length < 0x80 or octets[0] == 0:
            raise DerError("a length is indefinite, too long or not in its shortest form")
        start += count
    if start + length > len(data):
        raise DerError("an element is cut off")
    return start, start + length
