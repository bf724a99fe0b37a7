"""What the real command line makes of the arguments that a file of deploy/ passes to `peergate`."""

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from extauth.configuration import ExtauthConfiguration
from peergate.cli import run
from peergate.exit_code import ExitCode
from pki.authority import Authority
from runtime.settings import configured

#: The fields of files that must be there, and belong together, before anything is shown.
_CHECKED_FILES = ("tls_cert", "tls_key", "tls_client_ca")


def configuration_from_arguments(arguments: Sequence[str]) -> ExtauthConfiguration:
    """What `peergate extauth serve --flag=value …` would serve with, by `--print-config`."""
    assert list(arguments[:2]) == ["extauth", "serve"]
    written = dict(argument.removeprefix("--").split("=", 1) for argument in arguments[2:])
    files = {name: written[flag] for name in _CHECKED_FILES if (flag := name.replace("_", "-")) in written}
    with TemporaryDirectory() as folder:
        shown = Path(folder) / "shown.yaml"
        shown.write_text(_shown([*arguments, *_stand_ins(Path(folder), files)]), encoding="utf-8")
        return replace(configured(ExtauthConfiguration, {}, {}, str(shown)).value, **files)  # type: ignore[arg-type]  # all are texts


def _shown(arguments: Sequence[str]) -> str:
    output = StringIO()
    with redirect_stdout(output):
        assert run([*arguments, "--print-config"]) == ExitCode.FINE
    return output.getvalue()


def _stand_ins(folder: Path, files: dict[str, str]) -> list[str]:
    """Flags for files that exist; the last one that is given counts."""
    content = dict(zip(_CHECKED_FILES, _material(), strict=True))
    for name in files:
        (folder / name).write_bytes(content[name])
    return [f"--{name.replace('_', '-')}={folder / name}" for name in files]


@cache
def _material() -> tuple[bytes, bytes, bytes]:
    authority = Authority.root("envoys")
    server = authority.issue(dns=["peergate-extauth"], server=True)
    return server.pem, server.key_pem, authority.pem
