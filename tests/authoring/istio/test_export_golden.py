"""Policies in every shape that Istio can say, and what they become; and every shape that it cannot, and what is said.

`PEERGATE_UPDATE_GOLDEN=1 pytest tests/authoring/istio/test_export_golden.py` writes the files anew; read what has
changed.
"""

import os
from pathlib import Path

import pytest

from tests.authoring.istio.exports import WORKLOADS, Export, export

FOLDER = Path(__file__).parents[2] / "golden" / "istio_export"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))


def of_case(name: str) -> Export:
    """For the pods of one host, or of three where hosts are what the case is about."""
    text = (FOLDER / f"{name}.in.yaml").read_text(encoding="utf-8")
    return export(text, WORKLOADS if name == "hosts" else WORKLOADS[:1])


def _compare(golden: Path, text: str) -> None:
    if os.environ.get("PEERGATE_UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("refused")])
def test_a_policy_becomes_the_resources_that_are_written_here(name: str) -> None:
    made = of_case(name)
    assert made.text is not None, made.said
    _compare(FOLDER / f"{name}.out.yaml", made.text)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("refused")])
def test_what_istio_cannot_say_is_refused_in_these_words(name: str) -> None:
    made = of_case(name)
    assert made.text is None
    _compare(FOLDER / f"{name}.out.txt", "\n".join([*made.said, ""]))
