"""Syntax errors in words for people, at the place where the author must look."""

import pytest

from policies.language import yaml_errors
from tests.language.texts import places, tree_of

CASES = [
    ("a: *.example\n", 1, 4, "in quotes"),
    ("a: [b, *]\n", 1, 8, "in quotes"),
    ("a: [b\nc: d\n", 2, 2, "expected `,` or `]` in the list that starts in line 1, column 4"),
    ("a: [b", 1, 4, "the list that opens here is not closed"),
    ("a: [", 2, 1, "the file ends where a value belongs"),
    ("a: {b: c", 1, 4, "the mapping that opens here is not closed"),
    ("a: [/v1/{id}]\n", 1, 9, "`{` ends the value before it"),
    ("a: {u: x/{t}}\n", 1, 10, "`{` ends the value before it"),
    ("a: {t}.y\n", 1, 7, "expected another key of the mapping that starts in line 1, column 1"),
    ('a: "b\n', 1, 4, "the quote that opens here is not closed"),
    ("a: 'b\n---\n", 1, 4, "the quote that opens here is not closed"),
    ("a: b: c\n", 1, 5, "a second `: ` on one line"),
    ("a:\n  b: c\n d: e\n", 3, 2, "expected another key"),
    ("- a\nb: c\n", 2, 1, "expected another `- ` item"),
    ("a: @x\n", 1, 4, "a value cannot start with `@`"),
    ("a: `x`\n", 1, 4, "a value cannot start with"),
    ("a:\n\tb: c\n", 2, 1, "a tab stands where a line is indented"),
    ("a: |\n\tx\n", 2, 1, "a tab stands where a line is indented"),
    ("a: }\n", 1, 4, "expected a value, found `}`"),
    ("a: b\ncd\n", 2, 1, "this line has no `:` after its key"),
    ('a: "\\q"\n', 1, 5, "an escape that YAML does not know"),
    ('a: "\\xZZ"\n', 1, 7, "an escape without its hexadecimal digits"),
    ('a: "\\ud800"\n', 1, 7, "an escape that is no Unicode character"),
    ("a: b\n...\nc: d\n", 3, 1, "text after the end of the document"),
    ("a: !x!y z\n", 1, 4, "a value that starts with `!` must be in quotes"),
    ("a: - b\n", 1, 4, "a `- ` item cannot start on this line"),
    ("a: ? b\n", 1, 4, "`?` cannot stand here"),
]


@pytest.mark.parametrize(("text", "line", "column", "words"), CASES, ids=[case[0] for case in CASES])
def test_a_syntax_error_is_told_in_plain_words_where_it_is(text: str, line: int, column: int, words: str) -> None:
    node, problems = tree_of(text)
    assert (node, places(problems)) == (None, [(line, column, "yaml_syntax")])
    assert words in problems[0].message


def test_every_syntax_error_has_a_hint() -> None:
    assert all(tree_of(text)[1][0].hint for text, *_ in CASES)


def test_an_error_without_words_of_its_own_is_passed_on() -> None:
    assert "found an indentation indicator equal to 0" in tree_of("a: |0\n x\n")[1][0].message


def test_words_can_be_filled_in_for_any_character() -> None:
    """A message is a template; a brace in it must not break it."""
    tables = [
        yaml_errors._WORDS.values(),
        yaml_errors._UNCLOSED.values(),
        [yaml_errors._TAB, yaml_errors._BRACKET, yaml_errors._CUT_OFF],
    ]
    for plain in (plain for table in tables for plain in table):
        assert plain.message.format(char="`{`", start="in line 1, column 1")
