"""`docs/istio.md`: its import is run, and what it shows of the result is what is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "istio.md"
BLOCKS = dict(re.findall(r"^```([^\n]*)$\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


def test_the_import_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(BLOCKS["yaml file=mesh.yaml"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", BLOCKS["sh"]]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PATH": path}, timeout=60, check=True)
    assert BLOCKS["yaml printed"] in (tmp_path / "policy.yaml").read_text()
