from dataclasses import dataclass

import pytest

from policies.language.names import Name
from policies.language.node import Scalar
from policies.language.problem import Position, Problem, Problems
from policies.language.shape import WHOLE_FILE, OneOrMany, Text
from policies.language.table import Field, Fields, Records
from policies.language.yaml_text import node_from_bytes
from tests.language.texts import places

WORD = Text("a word", "w")


@dataclass(frozen=True, slots=True)
class Door:
    """A document such as other parts of peergate may read."""

    at: Position
    name: Scalar | None = None
    from_: tuple[Scalar, ...] = ()
    open: Scalar | None = None
    shut: Scalar | None = None


DOOR: Fields[Door] = Fields(
    "door",
    "a door",
    "{from: hall, open: now}",
    (
        Field("from", OneOrMany(WORD), "Where it leads from.", required=True),
        Field("open", WORD, "When it opens."),
        Field("shut", WORD, "When it shuts."),
    ),
    Door,
    {"locked": "a door has no lock"},
    one_of=("open", "shut"),
)
DOORS: Records[Door] = Records("a mapping of doors", Name("the name of a door", "front", defines=True), DOOR)


def door(yaml: str) -> tuple[Door | None, tuple[Problem, ...]]:
    problems = Problems()
    node = node_from_bytes("p", yaml.encode(), problems)
    assert node is not None
    return DOOR.read(node, WHOLE_FILE, problems), problems.sorted()


def problem(yaml: str) -> Problem:
    (found,) = door(yaml)[1]
    return found


def test_a_mapping_is_read_into_its_dataclass() -> None:
    made, problems = door("{from: [hall], open: now}")
    assert made == Door(Position("p", 1, 1), None, (Scalar("hall", "p", 1, 9),), Scalar("now", "p", 1, 22))
    assert problems == ()


def test_an_unknown_key_is_a_problem_at_the_key_with_what_was_probably_meant() -> None:
    found = problem("{from: x, open: y, shutt: z}")
    assert (found.at.column, found.code, found.hint) == (20, "key_unknown", "did you mean `shut`?")


def test_a_word_that_authors_try_has_a_hint_of_its_own() -> None:
    assert problem("{from: x, open: y, locked: z}").hint == "a door has no lock"


def test_an_unknown_key_like_no_other_lists_the_keys() -> None:
    assert problem("{from: x, open: y, colour: z}").hint == "its keys are `from`, `open` and `shut`"


def test_a_missing_key_is_a_problem_at_the_mapping_with_an_example() -> None:
    found = problem("\n  {open: y}")
    assert (found.at.line, found.at.column, found.code) == (2, 3, "key_missing")
    assert (found.message, found.hint) == ("a door needs the key `from`", "for example `from: [w]`")


def test_a_misspelt_key_is_not_reported_as_missing_too() -> None:
    assert places(door("{form: x, opne: y}")[1]) == [(1, 2, "key_unknown"), (1, 11, "key_unknown")]


def test_a_present_but_unreadable_key_is_not_reported_as_missing() -> None:
    assert places(door("{from: {a: b}, open: y}")[1]) == [(1, 8, "wrong_type")]


def test_one_of_several_keys_must_stand() -> None:
    assert problem("{from: x}").message == "a door needs one of the keys `open` and `shut`"


def test_only_one_of_several_keys_may_stand() -> None:
    found = problem("{shut: z, from: x, open: y}")
    assert (found.at.column, found.code) == (20, "keys_conflict")
    assert found.message == "a door has only one of the keys `shut` and `open`"


def test_a_key_and_value_without_a_blank_are_told() -> None:
    assert door("{from: x, open:now}")[1][-1].hint == "put a blank after the colon: `open: now`"


@pytest.mark.parametrize(("yaml", "code"), [("x", "wrong_type"), ("[x]", "wrong_type"), ("{}", "value_empty")])
def test_what_is_no_mapping_or_an_empty_one_makes_nothing(yaml: str, code: str) -> None:
    made, problems = door(yaml)
    assert (made, places(problems)) == (None, [(1, 1, code)])


def test_every_problem_of_a_mapping_is_reported_at_once() -> None:
    assert places(door("{open: [], shut: z, colour: q}")[1]) == [
        (1, 1, "key_missing"),
        (1, 8, "value_empty"),
        (1, 12, "keys_conflict"),
        (1, 21, "key_unknown"),
    ]


def test_records_keep_their_names_whatever_is_wrong_with_them() -> None:
    """Otherwise each reference to them would be one more problem."""
    problems = Problems()
    node = node_from_bytes("p", b"a: {from: x, open: y}\nb: 1\n'c d': {from: x, open: y}\nany: []\n", problems)
    assert node is not None
    doors = DOORS.read(node, "doors", problems)
    assert [found.name.text for found in doors if found.name] == ["a", "b", "c d", "any"]
    assert places(problems.sorted()) == [
        (2, 4, "wrong_type"),
        (3, 1, "name_invalid"),
        (4, 1, "name_reserved"),
        (4, 6, "value_empty"),
    ]


def test_a_key_that_python_reserves_is_an_attribute_with_an_underscore() -> None:
    assert [each.attribute for each in DOOR.fields] == ["from_", "open", "shut"]
