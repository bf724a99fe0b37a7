import pytest

from policies.language.names import RESERVED_NAMES, Name
from policies.language.node import Scalar, Sequence
from policies.language.problem import Position, Problems

DEFINED = Name("the name of an identity", "billing", defines=True)
REFERRED = Name("the name of an identity", "billing")


def codes_of(shape: Name, text: str) -> list[str]:
    problems = Problems()
    scalar = shape.read(Scalar(text, "p", 1, 1), "key", problems)
    assert (scalar is None) == (len(problems) > 0)
    return [problem.code for problem in problems.sorted()]


@pytest.mark.parametrize("text", ["a", "Z", "0", "a.b_c-D9", "any-prod", "x" * 128, "1.10"])
def test_names_are_letters_digits_dots_underscores_and_hyphens(text: str) -> None:
    assert codes_of(DEFINED, text) == []


@pytest.mark.parametrize("text", ["-a", ".a", "_a", "a b", "a/b", "a\n", "é", "x" * 129, "a:b", "{a}", "*", "٣"])
def test_anything_else_is_no_name(text: str) -> None:
    assert codes_of(DEFINED, text) == ["name_invalid"]
    assert codes_of(REFERRED, text) == ["name_invalid"]


def test_an_empty_name_is_a_problem() -> None:
    assert codes_of(DEFINED, "") == ["value_empty"]


@pytest.mark.parametrize("name", RESERVED_NAMES)
def test_reserved_names_can_be_used_but_not_given(name: str) -> None:
    assert codes_of(DEFINED, name) == ["name_reserved"]
    assert codes_of(REFERRED, name) == []


def test_a_list_is_no_name() -> None:
    problems = Problems()
    at = Position("p", 1, 1)
    assert REFERRED.read(Sequence((Scalar("a", "p", 1, 2),), at), "key", problems) is None
    assert [problem.code for problem in problems.sorted()] == ["wrong_type"]
