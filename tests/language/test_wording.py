from hypothesis import given, settings
from hypothesis import strategies as st

from policies.language.limits import MAX_QUOTED_CHARS
from policies.language.wording import listed, quoted


def test_a_word_is_quoted_in_backticks() -> None:
    assert quoted("a b") == "`a b`"


def test_a_long_text_is_cut() -> None:
    assert quoted("x" * 1000) == "`" + "x" * (MAX_QUOTED_CHARS - 1) + "…`"


def test_what_does_not_print_is_shown_as_an_escape() -> None:
    assert quoted("a\nb\x1b[31m\u202e") == r"`a\nb\x1b[31m\u202e`"


@settings(deadline=None)
@given(st.text())
def test_any_text_is_quoted_on_one_printable_line(text: str) -> None:
    assert quoted(text).isprintable()


def test_words_are_listed_as_a_sentence_has_them() -> None:
    assert listed(["a"], "or") == "`a`"
    assert listed(["a", "b"], "or") == "`a` or `b`"
    assert listed(["a", "b", "c"], "and") == "`a`, `b` and `c`"
