"""Our schema is a part of Envoy's: every name, number, type and oneof is the one of envoy-data-plane."""

import typing

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from extauth.wire import messages, resources
from extauth.wire.resources import POOL
from tests.extauth.xds.envoy_messages import CLASSES, FULL, NOT_THERE, our_fields, their_fields

_WELL_KNOWN = "google.protobuf."
#: Told apart by Envoy only by the package they stand in.
_ELSEWHERE = {"envoy.config.core.v3.BuildVersion.SemanticVersion": "envoy.type.v3.SemanticVersion"}


#: Of a file that the services share.
_NOT_DELIVERED = {"envoy.config.core.v3.HeaderMap"}


def messages_of(schema: bytes) -> list[str]:
    found: list[str] = []

    def visit(prefix: str, kinds: object) -> None:
        for kind in kinds:  # type: ignore[attr-defined]
            if not kind.options.map_entry:
                found.append(f"{prefix}.{kind.name}")
                visit(f"{prefix}.{kind.name}", kind.nested_type)

    for file in FileDescriptorSet.FromString(schema).file:
        visit(file.package, file.message_type)
    return [name for name in found if not name.startswith((_WELL_KNOWN, "grpc.health."))]


DELIVERED = sorted({*messages_of(resources._SCHEMA)} - _NOT_DELIVERED)
SPOKEN = {
    kind.DESCRIPTOR.full_name: kind.DESCRIPTOR
    for kind in (
        messages.DiscoveryRequest,
        messages.DiscoveryResponse,
        messages.DeltaDiscoveryRequest,
        messages.DeltaDiscoveryResponse,
        messages.Resource,
        messages.Node,
        messages.BuildVersion,
        messages.BuildVersion.SemanticVersion,
        messages.ControlPlane,
    )
}


@pytest.mark.parametrize("name", sorted({*DELIVERED} - NOT_THERE))
def test_every_field_that_is_delivered_is_envoys(name: str) -> None:
    check(name, POOL.FindMessageTypeByName(name))


@pytest.mark.parametrize("name", sorted(SPOKEN))
def test_every_field_of_the_protocol_is_envoys(name: str) -> None:
    check(name, SPOKEN[name])  # type: ignore[arg-type]  # the stubs have two names for one class


def check(name: str, message: Descriptor) -> None:
    theirs = their_fields(_ELSEWHERE.get(name, name))
    assert {field: theirs.get(field) for field in our_fields(message)} == our_fields(message)


def test_every_enum_value_is_envoys() -> None:
    for name in {*DELIVERED} - NOT_THERE:
        hints = typing.get_type_hints(CLASSES[name])
        for field in POOL.FindMessageTypeByName(name).fields:
            if field.enum_type is not None and not field.enum_type.full_name.startswith(_WELL_KNOWN):
                theirs = {item.name: item.value for item in hints[field.name]}
                ours = {value.name: value.number for value in field.enum_type.values}
                assert {value: theirs.get(value) for value in ours} == ours, f"{name}.{field.name}"


def test_the_examples_use_every_field_that_is_delivered() -> None:
    used: set[tuple[str, str]] = set()
    for name, value in FULL.items():
        note(name, value, used)
    fields = {
        (name, field) for name in {*DELIVERED} - NOT_THERE for field in our_fields(POOL.FindMessageTypeByName(name))
    }
    assert sorted(fields - used) == []


def note(name: str, value: object, used: set[tuple[str, str]]) -> None:
    if name == "google.protobuf.Any" and isinstance(value, dict):
        name = value["@type"].removeprefix("type.googleapis.com/")
        value = {field: inner for field, inner in value.items() if field != "@type"}
    if not isinstance(value, dict):
        return
    for field, inner in value.items():
        used.add((name, field))
        described = POOL.FindMessageTypeByName(name).fields_by_name[field]
        if described.message_type is None:
            continue
        if described.message_type.GetOptions().map_entry:
            for item in inner.values():
                note(described.message_type.fields_by_name["value"].message_type.full_name, item, used)  # type: ignore[union-attr]
        else:
            for item in inner if isinstance(inner, list) else [inner]:
                note(described.message_type.full_name, item, used)
