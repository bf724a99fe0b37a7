"""The one message of the SPIFFE Workload API that is read: X509BundlesResponse, names and numbers as the standard has.

https://github.com/spiffe/spiffe/blob/main/standards/workloadapi.proto. The file has no package, so the class lives in a
`DescriptorPool` of its own: another library that registers the whole API cannot collide with it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_REPEATED, _OPTIONAL = FieldDescriptorProto.LABEL_REPEATED, FieldDescriptorProto.LABEL_OPTIONAL
_STRING, _BYTES = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_BYTES
_MESSAGE = FieldDescriptorProto.TYPE_MESSAGE


class X509Bundles(Protocol):
    """`bundles`: SPIFFE ID of a trust domain -> its CA certificates, DER one after the other. `crl`: DER CRLs."""

    @property
    def bundles(self) -> Mapping[str, bytes]: ...  # noqa: D102 - the class says it

    @property
    def crl(self) -> Sequence[bytes]: ...  # noqa: D102


def x509_bundles_from_bytes(message: bytes) -> X509Bundles:
    """Read an X509BundlesResponse. Raises google.protobuf.message.DecodeError."""
    return cast("X509Bundles", _RESPONSE.FromString(message))


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="workloadapi.proto", syntax="proto3")
    response = file.message_type.add(name="X509BundlesResponse")
    response.field.add(name="crl", number=1, label=_REPEATED, type=_BYTES)
    entry = ".X509BundlesResponse.BundlesEntry"
    response.field.add(name="bundles", number=2, label=_REPEATED, type=_MESSAGE, type_name=entry)
    of_map = response.nested_type.add(name="BundlesEntry")
    of_map.options.map_entry = True
    of_map.field.add(name="key", number=1, label=_OPTIONAL, type=_STRING)
    of_map.field.add(name="value", number=2, label=_OPTIONAL, type=_BYTES)
    return file


_POOL = DescriptorPool()
_POOL.AddSerializedFile(_file().SerializeToString())
_RESPONSE = GetMessageClass(_POOL.FindMessageTypeByName("X509BundlesResponse"))
