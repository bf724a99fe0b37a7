"""`policy schema` is what an editor asks for."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.peergate.commands import LIBRARY, Peergate

FOLDERS = sorted(path.name for path in LIBRARY.iterdir() if path.is_dir())


def schema(peergate: Peergate, *arguments: str) -> dict[str, Any]:
    ended = peergate("policy", "schema", *arguments)
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def as_editors_read(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.BaseLoader)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_ready_policy_fits_the_schema(peergate: Peergate, folder: str) -> None:
    jsonschema.validate(as_editors_read(LIBRARY / folder / "policy.yaml"), schema(peergate))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_tests_of_every_ready_policy_fit_theirs(peergate: Peergate, folder: str) -> None:
    jsonschema.validate(as_editors_read(LIBRARY / folder / "policy.test.yaml"), schema(peergate, "--tests"))


def test_a_misspelt_key_does_not_fit(peergate: Peergate) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": "1", "tests": [{"az": "x"}]}, schema(peergate, "--tests"))


def test_json_is_one_line(peergate: Peergate) -> None:
    assert peergate("policy", "schema", "--format", "json").out.count("\n") == 1
