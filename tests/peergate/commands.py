"""How tests call the command: in this process, or as a program of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from peergate.cli import run

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "policies" / "library"
STARTER = str(LIBRARY / "starter")
WEB = "spiffe://acme.internal/ns/prod/sa/web"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Peergate:
    """`peergate` in this process, with 100 columns and no terminal."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        monkeypatch.setenv("COLUMNS", "100")

    def __call__(self, *arguments: str) -> Ended:
        code = run(arguments)
        out, err = self._capsys.readouterr()
        return Ended(code, out, err)


def program(*arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> Ended:
    """`peergate` as a program of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "peergate", *arguments],
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100", **(environment or {})},
    )
    return Ended(finished.returncode, finished.stdout.decode(), finished.stderr.decode())
