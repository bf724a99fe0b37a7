"""Envoy's configuration as JSON: plain values, since its YAML reads `n` as false and drops nothing aloud."""

Json = dict[str, "JsonValue"]
JsonValue = str | int | float | bool | list["JsonValue"] | Json

_TYPES = "type.googleapis.com/"


def typed(name: str, message: str, **fields: JsonValue) -> Json:
    """A named extension with its typed configuration (`google.protobuf.Any` in protobuf's JSON form)."""
    return {"name": name, "typed_config": any_of(message, **fields)}


def any_of(message: str, **fields: JsonValue) -> Json:
    """`google.protobuf.Any` of `message`, a full name such as `envoy.config.core.v3.Address`."""
    return {"@type": _TYPES + message, **fields}


def seconds(value: float) -> str:
    """`google.protobuf.Duration` in protobuf's JSON form."""
    return f"{value:g}s"
