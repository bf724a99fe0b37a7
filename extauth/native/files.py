"""Configuration that an Envoy reads from files and follows: each is written whole, so it sees an old or a new one."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from extauth.wire.encode import message_from_json
from extauth.wire.scalars import DELIMITED, delimited, tag
from runtime.envoy.proto_json import Json, JsonValue, any_of, type_url

EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a message
LISTENER = "envoy.config.listener.v3.Listener"
_BINARY = ".pb"
_ENCODER = json.JSONEncoder(separators=(",", ":"))
#: Members from which on a container is one of many small things, none of which takes long to encode.
_MANY = 64


class EnvoyFiles:
    """Resources in one folder, which nobody else may read: server keys are among them.

    Each has a folder of its own: whatever changes in a folder that Envoy watches, it reads all files again that it
    follows there, which for a large policy takes seconds.
    """

    def __init__(self, folder: Path, binary: frozenset[str] = frozenset()) -> None:
        """`binary`: names of resources that may be large, written as protobuf: Envoy takes it in half the time."""
        self._folder = folder
        self._binary = binary
        self._written: dict[str, bytes] = {}
        self._spare: dict[str, bytes] = {}

    def source(self, name: str) -> Json:
        """`ConfigSource` of the resource `name`."""
        return {
            "path_config_source": {
                "path": str(self._path(name)),
                "watched_directory": {"path": str(self._path(name).parent)},
            },
            "resource_api_version": "V3",
        }

    def write(self, name: str, message: str, resource: Json) -> bool:
        """Put the resource in force, if it is another one than before; whether it was. Raises OSError.

        Raises EncodeError if a binary resource is no message of the schema.
        """
        content = self._content(name, message, resource)
        if self._written.get(name) == content:
            return False
        self._put(self._path(name), content)
        self._written[name] = content
        return True

    def keep_spare(self, name: str, message: str, resource: Json) -> None:
        """Have another resource at hand, for when nothing can be written any more. Raises OSError."""
        if name not in self._spare:
            content = self._content(name, message, resource)
            self._put(self._spare_path(name), content)
            self._spare[name] = content

    def put_spare(self, name: str) -> None:
        """Put the spare resource in force, which takes no room on the disk. Raises OSError if there is none."""
        if name not in self._spare:
            raise FileNotFoundError(f"there is no spare {name}")
        self._spare_path(name).replace(self._path(name))
        self._written[name] = self._spare.pop(name)

    def holds(self, name: str, message: str, resource: Json) -> bool:
        """Whether the resource is in force."""
        return self._written.get(name) == self._content(name, message, resource)

    def version(self, name: str) -> str:
        """What Envoy calls the resource that is in force; empty if there is none."""
        content = self._written.get(name)
        return "" if content is None else _version(content)

    def size(self, name: str) -> int:
        """Bytes of the resource that is in force; 0 if there is none."""
        return len(self._written.get(name, b""))

    def _put(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(0o700, exist_ok=True)
        replacement = path.parent / f".{path.stem}"
        replacement.touch(0o600)
        with replacement.open("wb") as file:
            version = _version(content).encode()
            if path.suffix == _BINARY:
                file.write(delimited(tag(1, DELIMITED), version))
                file.write(content)
            else:
                file.write(b'{"version_info":"%s",' % version)
                file.write(memoryview(content)[1:])
        replacement.replace(path)

    def _content(self, name: str, message: str, resource: Json) -> bytes:
        """`DiscoveryResponse` without its version."""
        if name in self._binary:
            return delimited(tag(2, DELIMITED), _any(message, resource))
        return "".join(_pieces({"resources": [any_of(message, **resource)]})).encode()

    def _spare_path(self, name: str) -> Path:
        return self._folder / f"{name}.spare{self._suffix(name)}"

    def _path(self, name: str) -> Path:
        return self._folder / name / f"{name}{self._suffix(name)}"

    def _suffix(self, name: str) -> str:
        """By which Envoy tells what it is."""
        return _BINARY if name in self._binary else ".json"


def _any(message: str, resource: Json) -> bytes:
    payload = message_from_json(message, resource)
    return delimited(tag(1, DELIMITED), type_url(message).encode()) + delimited(tag(2, DELIMITED), payload)


def _pieces(value: JsonValue) -> Iterator[str]:
    """JSON, piece by piece: the encoder lets no other thread run, for a long CRL more than a moment.

    What has many members is encoded member by member, and so is what is around it.
    """
    if isinstance(value, dict) and value:
        each = _pieces if len(value) < _MANY else _whole
        for position, (key, item) in enumerate(value.items()):
            yield f"{',' if position else '{'}{_ENCODER.encode(key)}:"
            yield from each(item)
        yield "}"
    elif isinstance(value, list) and value:
        each = _pieces if len(value) < _MANY else _whole
        for position, item in enumerate(value):
            yield "," if position else "["
            yield from each(item)
        yield "]"
    else:
        yield from _whole(value)


def _whole(value: JsonValue) -> Iterator[str]:
    yield _ENCODER.encode(value)


def _version(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]
