"""Law 3: the bytes of a file are UTF-8 text in which a reviewer sees what a program reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.language.characters import forbidden_in_value, text_from_bytes
from policies.language.problem import Problem, Problems
from tests.language.texts import places


def text_of(data: bytes) -> tuple[str | None, tuple[Problem, ...]]:
    problems = Problems()
    return text_from_bytes("p", data, problems), problems.sorted()


def test_utf8_text_is_read_as_it_is() -> None:
    assert text_of("a: é 漢 🙂\r\n\tb\n".encode()) == ("a: é 漢 🙂\r\n\tb\n", ())


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b"a: b\nc: \xff\n", 2, 4),
        ("é: ".encode() + b"\xc3\x28", 1, 4),
        (b"a\n\xed\xa0\x80", 2, 1),
        (b"\xc0\xaf", 1, 1),
        (b"a\xf0\x9f", 1, 2),
    ],
    ids=["stray byte", "column in characters", "surrogate", "overlong", "cut off"],
)
def test_invalid_utf8_is_a_problem_where_it_starts(data: bytes, line: int, column: int) -> None:
    text, problems = text_of(data)
    assert (text, places(problems)) == (None, [(line, column, "not_utf8")])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-32"])
def test_utf_16_and_utf_32_are_problems(encoding: str) -> None:
    text, problems = text_of("version: 1\n".encode(encoding))
    assert text is None
    assert problems[0].code in {"not_utf8", "nul_byte"}
    assert "UTF-8" in problems[0].hint


def test_nul_is_a_problem_where_it_stands() -> None:
    assert places(text_of(b"a: b\nc\0d\0")[1]) == [(2, 2, "nul_byte")]


def test_a_byte_order_mark_is_a_problem_and_reading_goes_on() -> None:
    text, problems = text_of(b"\xef\xbb\xbfa: b\n")
    assert (text, places(problems)) == ("a: b\n", [(1, 1, "byte_order_mark")])


@pytest.mark.parametrize(
    "character", "\x01\x08\x0b\x0c\x1b\x1f\x7f\x80\x9f\xad\u200b\u2060\u202a\u202e\u2066\u2069\ufeff\ufffe\uffff"
)
def test_a_hidden_character_is_a_problem_and_reading_goes_on(character: str) -> None:
    text, problems = text_of(f"a: b\nc: {character}d\n".encode())
    assert (text, places(problems)) == ("a: b\nc: \ufffdd\n", [(2, 4, "character_forbidden")])


@pytest.mark.parametrize("character", "\x85\u2028\u2029")
def test_a_line_break_that_only_yaml_knows_ends_no_line(character: str) -> None:
    """Otherwise a comment could end unseen, and the rest of its line be policy."""
    text, problems = text_of(f"# c{character}rules: []\na: b\n".encode())
    assert (text, places(problems)) == ("# c\ufffdrules: []\na: b\n", [(1, 4, "line_break_forbidden")])


def test_a_lone_carriage_return_is_a_problem() -> None:
    assert places(text_of(b"a: b\r\n# c\rrules: []\n")[1]) == [(2, 4, "line_break_forbidden")]


def test_each_hidden_character_is_reported_once_a_line() -> None:
    text = "\u202ea\u202e\u2028\nb\n\u202ec\n"
    assert places(text_of(text.encode())[1]) == [
        (1, 1, "character_forbidden"),
        (1, 4, "line_break_forbidden"),
        (3, 1, "character_forbidden"),
    ]


@pytest.mark.parametrize("text", ["", "plain", "é 漢 🙂", "a\nb\tc\n", "\u00a0", "\u200d", "\u200e"])
def test_ordinary_values_hold_nothing_forbidden(text: str) -> None:
    assert forbidden_in_value(text) is None


def test_a_forbidden_character_of_a_value_is_named_by_its_code_point() -> None:
    assert forbidden_in_value("ab\rc\0") == "U+000D"


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_text_or_a_problem_comes_of_any_bytes(data: bytes) -> None:
    text, problems = text_of(data)
    assert (text is not None) or problems
    if not problems:
        assert text is not None
        assert text.encode() == data
