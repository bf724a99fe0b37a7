"""Golden files: `<case>.yaml` in, the problems as printed in `<case>.txt`.

After a change of wording run `PEERGATE_UPDATE_GOLDEN=1 pytest tests/language/test_problems_golden.py` and read the
difference: it is what users will see.
"""

import os
import re
from pathlib import Path

import pytest

from pki.authority import Authority
from policies.language.load import load_policy
from policies.language.problem import Problem
from tests.engine.callers import NoFiles

FOLDER = Path(__file__).parent.parent / "golden" / "problems"
MESH = Authority.root("mesh")
TRUST_FILES = {
    "root.pem": MESH.pem,
    "other.pem": Authority.root("partner").pem,
    "leaf.pem": MESH.issue(dns=["a.example"], subject="CN=a service").pem,
    "key.pem": MESH.issued.key_pem,
    "foreign.crl": Authority.root("mesh").crl(),
}
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def problems_of(file: str, data: bytes) -> tuple[Problem, ...]:
    """Every problem of a policy that is this one file."""
    return load_policy({file: data}, NoFiles(TRUST_FILES)).problems


@pytest.mark.parametrize("case", CASES)
def test_the_problems_of_a_policy_are_those_of_its_golden_file(case: str) -> None:
    source, golden = FOLDER / f"{case}.yaml", FOLDER / f"{case}.txt"
    printed = "".join(f"{problem}\n" for problem in problems_of(source.name, source.read_bytes()))
    if os.environ.get("PEERGATE_UPDATE_GOLDEN"):
        golden.write_text(printed)
    assert printed == golden.read_text()


@pytest.mark.parametrize("case", CASES)
def test_every_problem_says_what_to_do_about_it(case: str) -> None:
    source = FOLDER / f"{case}.yaml"
    for problem in problems_of(source.name, source.read_bytes()):
        assert problem.hint or re.search(r"\b(write|leave|keep|put|list)\b", problem.message), str(problem)


def test_every_golden_file_belongs_to_a_case() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == CASES
