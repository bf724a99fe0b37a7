"""`docs/istio.md`: its import and its export are run, and what it shows of the results is what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pki.authority import Authority

PAGE = Path(__file__).parents[2] / "docs" / "istio.md"
BLOCKS = dict(re.findall(r"^```([^\n]*)$\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def _run(script: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", script]
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, timeout=60, check=True)


def test_the_import_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(BLOCKS["yaml file=mesh.yaml"])
    _run(BLOCKS["sh"], tmp_path)
    assert BLOCKS["yaml printed"] in (tmp_path / "policy.yaml").read_text()


def test_the_export_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(BLOCKS["yaml file=orders.yaml"])
    (tmp_path / "mesh-root.pem").write_bytes(Authority.root("mesh").pem)
    _run(BLOCKS["sh export"], tmp_path)
    assert BLOCKS["yaml exported"] in (tmp_path / "istio.yaml").read_text()
