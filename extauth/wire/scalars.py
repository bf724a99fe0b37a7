"""Single values as protobuf writes them (https://protobuf.dev/programming-guides/encoding/), from protobuf's JSON."""

import binascii
import re
import struct
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Final

from google.protobuf.descriptor import FieldDescriptor

from extauth.wire.errors import EncodeError

#: Encodes one value that lies so many messages deep. Empty: a default value, which is not written.
Encoder = Callable[[object, int], bytes]

VARINT: Final = 0
FIXED64: Final = 1
DELIMITED: Final = 2

#: google.protobuf.Duration in JSON; at most about 10 000 years, but nothing that Envoy waits for takes one.
_DURATION = re.compile(r"(?P<seconds>[0-9]{1,9})(?:\.(?P<fraction>[0-9]{1,9}))?s")
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_RANGES: Mapping[int, tuple[int, int]] = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_64_BITS = frozenset({FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64})
_SHORT = [bytes([number]) for number in range(0x80)]


def varint(number: int) -> bytes:
    """Base 128, least significant first; a negative number as its 64-bit two's complement."""
    if 0 <= number < 0x80:
        return _SHORT[number]
    number &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(number: int, wire_type: int) -> bytes:
    """What stands before a field."""
    return varint(number << 3 | wire_type)


def delimited(start: bytes, payload: bytes) -> bytes:
    """A field that tells its length."""
    return start + varint(len(payload)) + payload


def scalar_encoder(field: FieldDescriptor, *, explicit: bool) -> Encoder:
    """Of a field that is no message. `explicit`: its default value is written, too."""
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return partial(_text, tag(field.number, DELIMITED), explicit)
    if kind == FieldDescriptor.TYPE_BYTES:
        return partial(_bytes, tag(field.number, DELIMITED), explicit)
    if kind == FieldDescriptor.TYPE_BOOL:
        return partial(_boolean, tag(field.number, VARINT), explicit)
    if field.enum_type is not None:
        numbers: dict[str | None, int] = {value.name: value.number for value in field.enum_type.values}
        if field.enum_type.full_name == "google.protobuf.NullValue":
            numbers = {None: 0}
        return partial(_enum, tag(field.number, VARINT), explicit, numbers)
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return partial(_double, tag(field.number, FIXED64), explicit)
    if kind in _RANGES:
        return partial(_integer, tag(field.number, VARINT), explicit, _RANGES[kind], kind in _64_BITS)
    raise EncodeError(f"{field.full_name}: its type is not supported")


def _text(start: bytes, explicit: bool, value: object, _: int) -> bytes:
    if not isinstance(value, str):
        raise EncodeError(f"not text but {shown(value)}")
    try:
        content = value.encode()
    except UnicodeEncodeError:
        raise EncodeError(f"not Unicode: {shown(value)}") from None
    return delimited(start, content) if content or explicit else b""


def _bytes(start: bytes, explicit: bool, value: object, _: int) -> bytes:
    try:
        content = b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        content = None
    if content is None:
        raise EncodeError(f"not base64 but {shown(value)}")
    return delimited(start, content) if content or explicit else b""


def _boolean(start: bytes, explicit: bool, value: object, _: int) -> bytes:
    if not isinstance(value, bool):
        raise EncodeError(f"neither true nor false but {shown(value)}")
    return start + _SHORT[value] if value or explicit else b""


def _integer(start: bytes, explicit: bool, bounds: tuple[int, int], as_text: bool, value: object, _: int) -> bytes:
    # Protobuf's JSON has 64-bit numbers as text, as JSON's own numbers end at 53 bits.
    if as_text and isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise EncodeError(f"not a whole number but {shown(value)}")
    if not bounds[0] <= value <= bounds[1]:
        raise EncodeError(f"{value} is not within {bounds[0]} and {bounds[1]}")
    return start + varint(value) if value or explicit else b""


def _double(start: bytes, explicit: bool, value: object, _: int) -> bytes:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise EncodeError(f"not a number but {shown(value)}")
    return start + struct.pack("<d", value) if value or explicit else b""


def _enum(start: bytes, explicit: bool, numbers: Mapping[str | None, int], value: object, _: int) -> bytes:
    number = numbers.get(value) if value is None or isinstance(value, str) else None
    if number is None:
        raise EncodeError(f"none of {', '.join(map(str, numbers))} but {shown(value)}")
    return start + varint(number) if number or explicit else b""


def _duration(value: object, _: int) -> bytes:
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise EncodeError(f'not a duration such as "0.25s" but {shown(value)}')
    seconds, nanos = int(found["seconds"]), int((found["fraction"] or "0").ljust(9, "0"))
    written = [tag(number, VARINT) + varint(part) for number, part in ((1, seconds), (2, nanos)) if part]
    return b"".join(written)


#: Messages that are one value in JSON; their one field has the number 1. Those that the schema uses.
WELL_KNOWN: Mapping[str, Encoder] = {
    "google.protobuf.Duration": _duration,
    "google.protobuf.BoolValue": partial(_boolean, tag(1, VARINT), False),
    "google.protobuf.UInt32Value": partial(
        _integer, tag(1, VARINT), False, _RANGES[FieldDescriptor.TYPE_UINT32], False
    ),
}


def shown(value: object) -> str:
    """A value that is not right, in an error."""
    return "null, which says nothing (leave the field out)" if value is None else f"{value!r:.80}"
