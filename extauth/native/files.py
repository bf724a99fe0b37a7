"""Configuration that an Envoy reads from files and follows: each is written whole, so it sees an old or a new one."""

import json
from hashlib import sha256
from pathlib import Path

from runtime.envoy.proto_json import Json, any_of

EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a message
LISTENER = "envoy.config.listener.v3.Listener"


class EnvoyFiles:
    """Resources in one folder, which nobody else may read: server keys are among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, bytes] = {}

    def source(self, name: str) -> Json:
        """`ConfigSource` of the resource `name`."""
        return {
            "path_config_source": {
                "path": str(self._path(name)),
                "watched_directory": {"path": str(self._folder)},
            },
            "resource_api_version": "V3",
        }

    def write(self, name: str, message: str, resource: Json) -> bool:
        """Put the resource in force, if it is another one than before; whether it was. Raises OSError."""
        response = {"resources": [any_of(message, **resource)]}
        content = json.dumps(response, separators=(",", ":")).encode()
        if self._written.get(name) == content:
            return False
        version = sha256(content).hexdigest()[:16]
        replacement = self._folder / f".{name}"
        replacement.touch(0o600)
        replacement.write_bytes(json.dumps({"version_info": version, **response}, separators=(",", ":")).encode())
        replacement.replace(self._path(name))
        self._written[name] = content
        return True

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
