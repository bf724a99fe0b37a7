"""A suppression takes away one code on one line, gives a reason, and is reported when it is for nothing."""

import pytest

from policies.authoring.lint.suppression import suppressions_from_text
from tests.authoring.lint.linted import MESH_ID, codes, findings

RULES = f'rules:\n  - {{id: a, allow: {{uri: "{MESH_ID}/web"}}, to: any}}'


def test_it_stands_at_the_end_of_the_line() -> None:
    assert codes(f"{RULES}  # peergate: ignore[to_any] the console needs all of it\n") == []


@pytest.mark.parametrize("between", ["", "\n  # more about it\n"])
def test_it_stands_above_the_line(between: str) -> None:
    text = RULES.replace("  - {", f"  # peergate: ignore[to_any] the console needs it\n{between}  - {{")
    assert codes(text) == []


def test_without_a_reason_it_suppresses_nothing() -> None:
    assert codes(f"{RULES}  # peergate: ignore[to_any]\n") == ["to_any", "suppression_without_reason"]


def test_one_that_suppresses_nothing_is_found() -> None:
    text = RULES.replace("to: any", "to: {paths: [/a]}")
    (finding,) = findings(f"{text}  # peergate: ignore[to_any] because\n")
    assert (finding.code, finding.message) == ("suppression_unused", "there is no `to_any` on line 5 to ignore")


def test_a_code_that_does_not_exist_is_said() -> None:
    found = findings(f"{RULES}  # peergate: ignore[to_amy] because\n")
    assert [finding.message for finding in found][-1] == "no finding is `to_amy`"


def test_a_suppression_cannot_suppress_what_is_said_about_it() -> None:
    text = f"{RULES}  # peergate: ignore[to_any, suppression_unused] because\n"
    assert codes(text) == ["suppression_unused"]


@pytest.mark.parametrize(
    "line", ["a: b#peergate: ignore[to_any] x", "# peergate ignore[to_any] x", "# ignore[to_any] x"]
)
def test_what_only_looks_like_one_is_none(line: str) -> None:
    assert list(suppressions_from_text("p.yaml", line)) == []


def test_many_on_one_line_cost_no_more_than_their_length() -> None:
    assert len(list(suppressions_from_text("p.yaml", "# peergate: ignore[" + "x," * 100_000 + "] y"))) == 100_001
    assert list(suppressions_from_text("p.yaml", "# peergate: " * 20_000)) == []
