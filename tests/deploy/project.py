"""What pyproject.toml says, for the files of deploy/ that repeat it."""

import tomllib
from typing import Any

from tests.deploy.files import ROOT


def project() -> dict[str, Any]:
    """The whole of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def project_version() -> str:
    """The version of this tree."""
    return str(project()["project"]["version"])
