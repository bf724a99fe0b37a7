"""Makes `extauth/wire/messages.py`, its stub and `resources.py` from `proto/`: `python -m extauth.wire.generate [--check]`.

`messages.py` has the classes of the services that peergate answers. `resources.py` has the schema of the configuration
that it delivers, which is encoded by its descriptors (`extauth.wire.encode`) and needs no classes.

The classes live in a `DescriptorPool` of their own, so that a library that registers the full Envoy API in the default
pool cannot collide with this subset. The schema is carried as a descriptor set and not as protoc's Python output, which
would tie the checked-in file to one protobuf runtime. Options and comments are left out: protoc and the well-known
types may change them between versions, the wire does not.
"""

import argparse
import sys
import tempfile
import textwrap
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

HERE = Path(__file__).parent
PROTO = HERE.parent.parent / "proto"
OUTPUT = HERE / "messages.py"
STUB = HERE / "messages.pyi"
RESOURCES = HERE / "resources.py"

#: The protos of services, below `proto/`; what they do not use is of resources.
_SERVICES = ("envoy/service/", "grpc/")

_HEADER = "Generated from proto/ by `python -m extauth.wire.generate`. Do not edit."
_SCALARS = {
    FieldDescriptorProto.TYPE_STRING: "str",
    FieldDescriptorProto.TYPE_BYTES: "bytes",
    FieldDescriptorProto.TYPE_BOOL: "bool",
    FieldDescriptorProto.TYPE_DOUBLE: "float",
    FieldDescriptorProto.TYPE_INT32: "int",
    FieldDescriptorProto.TYPE_INT64: "int",
    FieldDescriptorProto.TYPE_UINT32: "int",
    FieldDescriptorProto.TYPE_ENUM: "int",
}


def schemas_from_protos(root: Path) -> tuple[FileDescriptorSet, FileDescriptorSet]:
    """The schema of the services, and that of the resources. Raises SystemExit with one line."""
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.proto"))
    services = descriptor_set_from_protos(root, [path for path in found if path.startswith(_SERVICES)])
    used = {file.name for file in services.file}
    return services, descriptor_set_from_protos(root, [path for path in found if path not in used])


def descriptor_set_from_protos(root: Path, sources: Iterable[str]) -> FileDescriptorSet:
    """The messages of `sources` and all they use, in order of import, without options and comments.

    Raises SystemExit with one line if protoc refuses a file.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415  # untyped; a dev dependency only

    well_known = str(resources.files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "set"
        flags = [f"--proto_path={root}", f"--proto_path={well_known}", "--include_imports"]
        if protoc.main(["protoc", *flags, f"--descriptor_set_out={output}", *sources]) != 0:
            raise SystemExit(f"protoc cannot read the files below {root}")
        schema = FileDescriptorSet.FromString(output.read_bytes())
    for file in schema.file:
        file.ClearField("options")
        file.ClearField("service")
        for message in _all_messages(file.message_type):
            for field in message.field:
                field.ClearField("json_name")
    return schema


def module_from_schema(schema: FileDescriptorSet) -> str:
    """The Python module: the schema as bytes, and one name for each top-level message."""
    classes = "\n".join(
        f'{message.name} = GetMessageClass(_POOL.FindMessageTypeByName("{file.package}.{message.name}"))'
        for file in schema.file
        for message in file.message_type
    )
    return _pool_module(schema, "_POOL", "from google.protobuf.message_factory import GetMessageClass\n") + f"\n{classes}\n"


def pool_from_schema(schema: FileDescriptorSet) -> str:
    """The Python module with the schema alone, as `POOL`."""
    return _pool_module(schema, "POOL", "")


def _pool_module(schema: FileDescriptorSet, name: str, imports: str) -> str:
    data = "\n".join(f"    {chunk!r}" for chunk in _chunks(schema.SerializeToString(deterministic=True), 80))
    return (
        f'"""{_HEADER}"""\n\n'
        "from google.protobuf.descriptor_pb2 import FileDescriptorSet\n"
        f"from google.protobuf.descriptor_pool import DescriptorPool\n{imports}\n"
        f"_SCHEMA = (\n{data}\n)\n"
        f"{name} = DescriptorPool()\n"
        "for _file in FileDescriptorSet.FromString(_SCHEMA).file:\n"
        f"    {name}.AddSerializedFile(_file.SerializeToString())\n"
    )


def stub_from_schema(schema: FileDescriptorSet) -> str:
    """The types of the module, for mypy and editors. Enum fields are ints; enum values are class attributes."""
    classes = "\n\n".join(
        _stub_of_message(message, f".{file.package}.{message.name}")
        for file in schema.file
        for message in file.message_type
    )
    return "\n".join(
        [
            f'"""{_HEADER}"""',
            "",
            "from collections.abc import Iterable, Mapping",
            "",
            "from google.protobuf.internal.containers import (",
            "    MessageMap,",
            "    RepeatedCompositeFieldContainer,",
            "    RepeatedScalarFieldContainer,",
            "    ScalarMap,",
            ")",
            "from google.protobuf.message import Message",
            "",
            classes,
        ]
    )


def _all_messages(messages: Iterable[DescriptorProto]) -> Iterator[DescriptorProto]:
    for message in messages:
        yield message
        yield from _all_messages(message.nested_type)


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _stub_of_message(message: DescriptorProto, full_name: str) -> str:
    entries = {f"{full_name}.{nested.name}": nested for nested in message.nested_type if nested.options.map_entry}
    parts = [
        _stub_of_message(nested, f"{full_name}.{nested.name}")
        for nested in message.nested_type
        if not nested.options.map_entry
    ]
    parts += [_stub_of_enum(enum) for enum in message.enum_type]
    arguments = []
    for field in message.field:
        held, given = _types_of_field(field, entries)
        setter = f"\n@{field.name}.setter\ndef {field.name}(self, value: {given}) -> None: ..."
        assignable = field.label != field.LABEL_REPEATED and field.type != field.TYPE_MESSAGE
        parts.append(f"@property\ndef {field.name}(self) -> {held}: ...{setter if assignable else ''}")
        arguments.append(f"{field.name}: {given} | None = ...")
    signature = ", ".join(["self", *(["*", *arguments] if arguments else [])])
    parts.append(f"def __init__({signature}) -> None: ...")
    return f"class {message.name}(Message):\n" + textwrap.indent("\n".join(parts), "    ") + "\n"


def _stub_of_enum(enum: EnumDescriptorProto) -> str:
    return "\n".join(f"{value.name}: int" for value in enum.value)


def _types_of_field(field: FieldDescriptorProto, entries: dict[str, DescriptorProto]) -> tuple[str, str]:
    """What reading the field gives, and what the constructor takes."""
    if entry := entries.get(field.type_name):
        key, value = (_type_name(part) for part in entry.field)
        kind = "MessageMap" if entry.field[1].type == FieldDescriptorProto.TYPE_MESSAGE else "ScalarMap"
        return f"{kind}[{key}, {value}]", f"Mapping[{key}, {value}]"
    name = _type_name(field)
    if field.label != FieldDescriptorProto.LABEL_REPEATED:
        return name, name
    kind = "Composite" if field.type == FieldDescriptorProto.TYPE_MESSAGE else "Scalar"
    return f"Repeated{kind}FieldContainer[{name}]", f"Iterable[{name}]"


def _type_name(field: FieldDescriptorProto) -> str:
    """`.envoy.service.auth.v3.AttributeContext.Peer` -> `AttributeContext.Peer`: only packages are lower case."""
    if field.type != FieldDescriptorProto.TYPE_MESSAGE:
        return _SCALARS[field.type]
    return ".".join(part for part in field.type_name.split(".") if part[:1].isupper())


def check_names(files: Iterable[FileDescriptorProto]) -> None:
    """Raise SystemExit if two messages would get the same name in `messages.py`."""
    names = [message.name for file in files for message in file.message_type]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SystemExit(f"two packages define {', '.join(repeated)}: messages.py has one name for each")


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` answer 1 and the name of each that is not current."""
    parser = argparse.ArgumentParser(prog="python -m extauth.wire.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the checked-in files differ")
    check = parser.parse_args(arguments).check
    services, resources = schemas_from_protos(PROTO)
    check_names(services.file)
    status = 0
    for path, text in (
        (OUTPUT, module_from_schema(services)),
        (STUB, stub_from_schema(services)),
        (RESOURCES, pool_from_schema(resources)),
    ):
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.stderr.write(f"{path.name} is not current: run python -m extauth.wire.generate\n")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
