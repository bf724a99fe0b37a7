"""Envoy's configuration as JSON: plain values, since its YAML reads `n` as false and drops nothing aloud."""

Json = dict[str, "JsonValue"]
JsonValue = str | int | float | bool | list["JsonValue"] | Json

_TYPES = "type.googleapis.com/"

#: `envoy.config.core.v3.ConfigSource`: what is configured so comes by the one stream of the discovery service. Envoy
#: waits for it, without end, before it listens and is ready: a listener without filters is of no use.
FROM_DISCOVERY: Json = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def typed(name: str, message: str, **fields: JsonValue) -> Json:
    """A named extension with its typed configuration (`google.protobuf.Any` in protobuf's JSON form)."""
    return {"name": name, "typed_config": any_of(message, **fields)}


def any_of(message: str, **fields: JsonValue) -> Json:
    """`google.protobuf.Any` of `message`, a full name such as `envoy.config.core.v3.Address`."""
    return {"@type": type_url(message), **fields}


def type_url(message: str) -> str:
    """How `google.protobuf.Any` names a message."""
    return _TYPES + message


def seconds(value: float) -> str:
    """`google.protobuf.Duration` in protobuf's JSON form."""
    return f"{value:g}s"
