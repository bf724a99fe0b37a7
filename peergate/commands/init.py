"""`peergate policy init`: a commented policy to start from, with its tests and the schema for editors."""

from importlib.resources import files
from pathlib import Path

from peergate.console import stdout, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode

_LIBRARY = files("policies") / "library"
#: Written file -> where it comes from in the library. The anchor is an example to be replaced.
_FILES = {
    "policy.yaml": "starter/policy.yaml",
    "policy.test.yaml": "starter/policy.test.yaml",
    "pki/mesh-root.pem": "starter/pki/mesh-root.pem",
    "peergate.schema.json": "peergate.schema.json",
}


def init(folder: str) -> ExitCode:
    """Write the starter policy to `folder`, made if it is not there; nothing is replaced. Raises ArgumentError."""
    root = Path(folder)
    try:
        there = [name for name in _FILES if (root / name).exists()]
        if there:
            raise ArgumentError(f"{folder!r} already has {', '.join(there)}; nothing was written, name another folder")
        for name, source in _FILES.items():
            _write(root / name, (_LIBRARY / source).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArgumentError(f"{folder!r} cannot be written: {error}") from None
    stdout().print(styled(f"{folder}: {', '.join(_FILES)}"), soft_wrap=True)
    stdout().print(styled(f"next: put your own CA in pki/mesh-root.pem, then `peergate policy test {folder}`"))
    return ExitCode.FINE


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = text.replace("$schema=../peergate.schema.json", "$schema=./peergate.schema.json")
    with path.open("x", encoding="utf-8") as file:
        file.write(text.replace("peergate policy test policies/library/starter", "peergate policy test ."))
