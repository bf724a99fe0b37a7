"""The middleware in an application that logs in its own way: it says what is wrong with the policy, and where."""

import subprocess
import sys
from pathlib import Path

import pytest

POLICY = "version: 1\nrules:\n  - {id: r, allow: nobody-named, to: everywhere}\n"


@pytest.mark.parametrize("configured", ["", "logging.basicConfig(format='%(levelname)s %(message)s');"])
def test_an_application_reads_what_is_wrong_with_the_policy_and_where(configured: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(POLICY)
    loaded = "from gateway.middleware import Authorizer; Authorizer.from_policy('bad.yaml').close()"
    code = f"import logging; {configured} {loaded}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
    )
    problem = next(line for line in done.stderr.splitlines() if "policy problem" in line)
    assert "bad.yaml:3:" in problem
    assert "nobody-named" in problem
