"""Preparation of name values (RFC 4518): after it, equality is matching."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.errors import DistinguishedNameError
from policies.peer.preparation import prepared


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Acme Inc", "ACME INC"),
        ("Acme Inc", "  Acme   Inc "),
        ("Straße", "STRASSE"),
        ("É", "e\u0301"),
        ("ﬁ", "FI"),
        ("\uff21", "a"),
        ("a\u00a0b", "A B"),
        ("a\u00adb", "ab"),
        ("a\u200bb", "ab"),
        ("Σ", "ς"),
        ("", "   "),
    ],
)
def test_values_that_differ_in_case_blanks_or_encoding_are_equal(left: str, right: str) -> None:
    assert prepared(left) == prepared(right)


@pytest.mark.parametrize(("left", "right"), [("a b", "ab"), ("a,b", "a b"), ("é", "e"), ("1", "l"), ("a", "")])
def test_values_that_are_different_stay_different(left: str, right: str) -> None:
    assert prepared(left) != prepared(right)


@pytest.mark.parametrize("value", ["a\x00b", "a\nb", "\t", "\x7f", "a\x85b", "\ud800"])
def test_controls_and_surrogates_are_refused_rather_than_dropped(value: str) -> None:
    with pytest.raises(DistinguishedNameError):
        prepared(value)


@given(st.text())
def test_preparing_twice_changes_nothing(value: str) -> None:
    try:
        once = prepared(value)
    except DistinguishedNameError:
        return
    assert prepared(once) == once


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N", "P", "S", "Zs"])))
def test_ascii_takes_the_short_way_to_the_same_result(value: str) -> None:
    # A trailing non-ASCII letter sends the same text the long way.
    assert prepared(value + "é") == prepared(prepared(value + "x").removesuffix("x") + "é")
