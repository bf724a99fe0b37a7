from typing import TypeVar

import pytest

from policies.language.node import Node, Scalar
from policies.language.problem import Problem, Problems
from policies.language.shape import WHOLE_FILE, Entries, Later, Made, Many, OneOrMany, Shape, Text, TextOr, pair
from policies.language.yaml_text import node_from_bytes
from tests.language.texts import places

T = TypeVar("T")
HOST = Text("a host", "a.example")
LABELS = Entries("a mapping of labels", Text("a label", "team"), HOST, pair)


def read(shape: Shape[T], yaml: str, label: str = "key") -> tuple[T, tuple[Problem, ...]]:
    """What a shape reads from YAML, and the problems; a list starts at column 1."""
    problems = Problems()
    node = node_from_bytes("p", yaml.encode(), problems)
    assert node is not None
    return shape.read(node, label, problems), problems.sorted()


def texts(values: tuple[Scalar, ...]) -> list[str]:
    return [value.text for value in values]


def message(shape: Shape[T], yaml: str, label: str = "key") -> str:
    (problem,) = read(shape, yaml, label)[1]
    return problem.message


def test_a_text_is_read_with_its_place() -> None:
    assert read(HOST, "x") == (Scalar("x", "p", 1, 1), ())


@pytest.mark.parametrize("yaml", ["[x]", "{x: y}"])
def test_a_list_or_mapping_is_no_text(yaml: str) -> None:
    value, problems = read(HOST, yaml)
    assert (value, places(problems)) == (None, [(1, 1, "wrong_type")])


def test_a_problem_says_what_is_taken_what_was_found_and_an_example() -> None:
    (problem,) = read(HOST, "[x]", "hosts")[1]
    assert problem.message == "`hosts` takes a host, found a list"
    assert problem.hint == "for example `a.example`"


def test_a_problem_of_the_whole_file_says_so() -> None:
    assert message(LABELS, "[x]", WHOLE_FILE) == "the file takes a mapping of labels, found a list"


def test_an_empty_text_is_a_problem_unless_it_is_a_value() -> None:
    assert places(read(HOST, '""')[1]) == [(1, 1, "value_empty")]
    assert read(Text("a text", "x", empty=True), '""')[1] == ()


def test_a_pattern_that_yaml_takes_for_a_mapping_is_told_to_be_quoted() -> None:
    assert read(HOST, "{tenant}")[1][0].hint == 'put it in quotes if it is a pattern: "{tenant}"'


def test_a_colon_without_a_blank_is_told() -> None:
    assert read(LABELS, "a:b")[1][0].hint == "put a blank after the colon: `a: b`"


@pytest.mark.parametrize("yaml", ["http://x", "a b:c", ":c", "a:"])
def test_other_colons_are_not_taken_for_a_missing_blank(yaml: str) -> None:
    assert "blank" not in read(Many(HOST), f"'{yaml}'")[1][0].hint


def test_one_value_or_a_list_of_them_gives_a_tuple() -> None:
    assert texts(read(OneOrMany(HOST), "x")[0]) == ["x"]
    assert texts(read(OneOrMany(HOST), "[x, y]")[0]) == ["x", "y"]


def test_an_empty_list_is_a_problem_unless_it_is_a_value() -> None:
    assert places(read(OneOrMany(HOST), "[]")[1]) == [(1, 1, "value_empty")]
    assert read(OneOrMany(HOST, empty=True), "[]") == ((), ())


def test_items_that_cannot_be_read_are_left_out_and_each_reported() -> None:
    values, problems = read(OneOrMany(HOST), "[x, [y], z, {}]")
    assert texts(values) == ["x", "z"]
    assert places(problems) == [(1, 5, "wrong_type"), (1, 13, "value_empty")]


def test_many_takes_only_a_list() -> None:
    assert texts(read(Many(HOST), "[x]")[0]) == ["x"]
    assert message(Many(HOST), "x") == "`key` takes a list, each item a host, found the text `x`"


def test_text_or_mapping_is_read_as_written() -> None:
    either = TextOr(HOST, LABELS)
    assert read(either, "x")[0] == Scalar("x", "p", 1, 1)
    assert read(either, "{a: x}")[0] == ((Scalar("a", "p", 1, 2), Scalar("x", "p", 1, 5)),)
    assert message(either, "[x]") == "`key` takes a host or a mapping of labels, found a list"


def test_entries_keep_their_order_and_leave_out_what_cannot_be_read() -> None:
    entries, problems = read(LABELS, "{b: x, a: [], c: y}")
    assert [(key.text, value.text) for key, value in entries] == [("b", "x"), ("c", "y")]
    assert places(problems) == [(1, 11, "value_empty")]


@pytest.mark.parametrize(("yaml", "code"), [("{}", "value_empty"), ("x", "wrong_type"), ("[]", "value_empty")])
def test_entries_take_a_mapping_that_is_not_empty(yaml: str, code: str) -> None:
    assert places(read(LABELS, yaml)[1]) == [(1, 1, code)]


def test_an_empty_key_is_a_problem() -> None:
    assert places(read(LABELS, "{'': x}")[1]) == [(1, 2, "value_empty")]


def test_made_turns_what_was_read_into_something_else() -> None:
    def shout(node: Node, value: Scalar) -> str:
        return f"{node.at.line} {value.text.upper()}"

    shape: Made[Scalar, str] = Made(HOST, shout)
    assert read(shape, "x")[0] == "1 X"
    assert read(shape, "[x]")[0] is None


def test_later_lets_a_shape_contain_itself() -> None:
    tree: Many[object] = Many(Later("a tree", "[]", lambda: tree), empty=True)
    assert read(tree, "[[], [[]]]") == (((), ((),)), ())


def test_what_was_refused_before_is_not_reported_again() -> None:
    value, problems = read(OneOrMany(HOST), "[*x, y]")
    assert (texts(value), places(problems)) == (["y"], [(1, 2, "alias")])
