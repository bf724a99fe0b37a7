"""Envoy's configuration as JSON -> bytes on the wire, by the descriptors of `extauth.wire.resources`.

The JSON is protobuf's (https://protobuf.dev/programming-guides/json/) as peergate writes it: field names as in the
proto, enums by name, `google.protobuf.Any` as an object with `@type`. Nothing is dropped and nothing is guessed: a name
that the schema lacks, a second member of a oneof, `null`, a value of another type is an EncodeError.

Each message type is compiled once into a function; no message objects are made, which is what makes a tree of 10 000
rules take a second and not ten.
"""

from collections.abc import Mapping
from functools import cache, partial

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from extauth.wire.resources import POOL
from extauth.wire.errors import EncodeError
from extauth.wire.scalars import DELIMITED, WELL_KNOWN, Encoder, delimited, scalar_encoder, shown, tag
from runtime.envoy.proto_json import Json

TYPE_PREFIX = "type.googleapis.com/"

#: Levels of messages in messages that a parser follows; protobuf's own default, which Envoy keeps.
MAX_DEPTH = 100

_ANY = "google.protobuf.Any"
#: Types of which a list is written as one field for each item.
_LISTED = frozenset({FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE})


def message_from_json(name: str, value: object) -> bytes:
    """The message `name` (full name) that is written as `value`. Raises EncodeError."""
    try:
        return _message_encoder(name)(value, 0)
    except RecursionError:
        raise EncodeError("too many objects in each other") from None


def any_from_json(value: Mapping[str, object]) -> tuple[str, bytes]:
    """Type URL and payload of an object with `@type`. Raises EncodeError."""
    url = value.get("@type")
    if not isinstance(url, str) or not url.startswith(TYPE_PREFIX):
        raise EncodeError(f"@type is no type URL of {TYPE_PREFIX}…: {url!r}")
    name = url.removeprefix(TYPE_PREFIX)
    if name in WELL_KNOWN or name == _ANY:
        raise EncodeError(f"@type {name}: a well-known type is not delivered on its own")
    return url, message_from_json(name, {field: inner for field, inner in value.items() if field != "@type"})


def extension_from_filter(http_filter: Json) -> bytes:
    """An HTTP filter `{"name": …, "typed_config": {"@type": …}}` as `envoy.config.core.v3.TypedExtensionConfig`."""
    return message_from_json("envoy.config.core.v3.TypedExtensionConfig", http_filter)


@cache
def _message_encoder(name: str) -> Encoder:
    if name == _ANY:
        return _any
    if name in WELL_KNOWN:
        return WELL_KNOWN[name]
    try:
        descriptor = POOL.FindMessageTypeByName(name)
    except KeyError:
        raise EncodeError(f"the schema has no message {name}") from None
    return partial(_message, _Fields(descriptor))


class _Fields:
    """The fields of a message type: how each is encoded, and the oneof that it belongs to (empty: none)."""

    __slots__ = ("_found", "descriptor")

    def __init__(self, descriptor: Descriptor) -> None:
        self.descriptor = descriptor
        self._found: dict[str, tuple[Encoder, str]] = {}

    def field(self, name: str) -> tuple[Encoder, str]:
        """Looked up, or compiled at the first use: types contain themselves. Raises EncodeError."""
        found = self._found.get(name)
        if found is None:
            descriptor = self.descriptor.fields_by_name.get(name)
            if descriptor is None:
                raise EncodeError(f"{self.descriptor.full_name} has no such field")
            oneof = descriptor.containing_oneof
            found = self._found[name] = _field_encoder(descriptor), "" if oneof is None else oneof.name
        return found


def _message(fields: _Fields, value: object, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise EncodeError(f"not an object but {shown(value)}")
    if depth > MAX_DEPTH:
        raise EncodeError(f"more than {MAX_DEPTH} messages in each other; Envoy would not read it")
    parts = []
    chosen: dict[str, str] = {}
    for name, inner in value.items():
        try:
            encode, oneof = fields.field(name)
            parts.append(encode(inner, depth))
        except EncodeError as error:
            raise error.inside(str(name)) from None
        if oneof and chosen.setdefault(oneof, name) != name:
            raise EncodeError(f"set beside {chosen[oneof]}, of which only one can be", name)
    return b"".join(parts)


def _any(value: object, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise EncodeError(f"not an object with @type but {shown(value)}")
    del depth  # The payload is bytes: whoever reads it begins anew.
    url, payload = any_from_json(value)
    return delimited(tag(1, DELIMITED), url.encode()) + delimited(tag(2, DELIMITED), payload)


def _field_encoder(field: FieldDescriptor) -> Encoder:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return _map_encoder(field, field.message_type)
    if field.is_repeated:
        if field.type not in _LISTED:
            raise EncodeError(f"{field.full_name}: lists of numbers are not supported")
        return partial(_repeated, _value_encoder(field, explicit=True))
    return _value_encoder(field, explicit=field.containing_oneof is not None)


def _value_encoder(field: FieldDescriptor, *, explicit: bool) -> Encoder:
    """Of a field of one value. `explicit`: a default value is written, too."""
    if field.message_type is not None:
        return partial(_submessage, tag(field.number, DELIMITED), field.message_type.full_name)
    return scalar_encoder(field, explicit=explicit)


def _submessage(start: bytes, name: str, value: object, depth: int) -> bytes:
    return delimited(start, _message_encoder(name)(value, depth + 1))


def _repeated(encode: Encoder, value: object, depth: int) -> bytes:
    if not isinstance(value, list):
        raise EncodeError(f"not a list but {shown(value)}")
    parts = []
    for position, item in enumerate(value):
        try:
            parts.append(encode(item, depth))
        except EncodeError as error:
            raise error.inside(f"[{position}]") from None
    return b"".join(parts)


def _map_encoder(field: FieldDescriptor, entry: Descriptor) -> Encoder:
    key, value = (entry.fields_by_name[name] for name in ("key", "value"))
    if key.type != FieldDescriptor.TYPE_STRING:
        raise EncodeError(f"{field.full_name}: only maps from text are supported")
    start = tag(field.number, DELIMITED)
    return partial(_map, start, scalar_encoder(key, explicit=True), _value_encoder(value, explicit=True))


def _map(start: bytes, encode_key: Encoder, encode_value: Encoder, value: object, depth: int) -> bytes:
    if not isinstance(value, dict):
        raise EncodeError(f"not an object but {shown(value)}")
    parts = []
    last: object = None
    encoded = b""
    for key, item in value.items():
        try:
            # A host leads to the very same branch with and without a port.
            if item is not last or last is None:
                last, encoded = item, encode_value(item, depth + 1)
            entry = encode_key(key, depth) + encoded
        except EncodeError as error:
            raise error.inside(f"[{key!r}]") from None
        parts.append(delimited(start, entry))
    return b"".join(parts)
