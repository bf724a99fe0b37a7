"""AuthorizationPolicies in the shapes that Istio documents, and the policies that they become.

`PEERGATE_UPDATE_GOLDEN=1 pytest tests/authoring/istio/test_golden.py` writes the files anew; read what has changed.
"""

import os
from pathlib import Path

import pytest

from policies.authoring.istio.importing import Imported, imported_from_files
from tests.authoring.istio.imports import WORKLOADS, loaded, mesh

FOLDER = Path(__file__).parents[2] / "golden" / "istio"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))


def of_case(name: str) -> Imported:
    data = (FOLDER / f"{name}.in.yaml").read_bytes()
    return imported_from_files({"mesh.yaml": data}, mesh(WORKLOADS, port=8080))


@pytest.mark.parametrize("name", CASES)
def test_a_documented_shape_becomes_the_policy_that_is_written_here(name: str) -> None:
    imported = of_case(name)
    assert imported.text is not None, imported.problems
    golden = FOLDER / f"{name}.out.yaml"
    if os.environ.get("PEERGATE_UPDATE_GOLDEN"):
        golden.write_text(imported.text, encoding="utf-8")
    assert imported.text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_what_is_imported_loads_and_is_formatted(name: str) -> None:
    text = of_case(name).text
    assert text is not None
    assert loaded(text).rule_ids
