"""`docs/diff.md` shows what the command prints."""

import re
from pathlib import Path

import pytest
import yaml

from pki.authority import Authority
from tests.peergate.commands import Peergate
from tests.peergate.conftest import peergate

__all__ = ["peergate"]

TEXT = (Path(__file__).parents[2] / "docs" / "diff.md").read_text()
BLOCKS = dict(re.findall(r"^```([a-z]+ ?[a-z]*)$\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def test_the_example_is_what_the_command_prints(
    peergate: Peergate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "mesh-root.pem").write_bytes(Authority.root("mesh root").pem)
    for name in ("old", "new"):
        (tmp_path / f"{name}.yaml").write_text(BLOCKS[f"yaml {name}"])
    monkeypatch.chdir(tmp_path)
    call, _, printed = BLOCKS["console"].partition("\n")
    assert call == "$ peergate policy diff old.yaml new.yaml"
    assert peergate("policy", "diff", "old.yaml", "new.yaml").out == printed


def test_the_workflow_calls_the_command_with_flags_that_it_has(peergate: Peergate) -> None:
    workflow = yaml.safe_load(BLOCKS["yaml ci"])
    calls = [step["run"] for step in workflow["jobs"]["access"]["steps"] if "peergate policy" in step.get("run", "")]
    assert len(calls) == 2
    known = peergate("policy", "diff", "--help").out
    assert all(flag in known for call in calls for flag in re.findall(r"--[a-z-]+", call))
