"""Header templates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.template import Template, TemplateError, header_safe


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("fixed", "fixed"),
        ("{tenant}", "acme"),
        ("t={tenant};u={identity.uri}", "t=acme;u=spiffe://a/b"),
        ("{{{tenant}}}", "{acme}"),
        ("{identity.dns}", "a.example,b.example"),
        ("{identity.email}", None),
    ],
)
def test_a_template_is_filled_or_left_out_whole(text: str, filled: str | None) -> None:
    values = {"tenant": ("acme",), "identity.uri": ("spiffe://a/b",), "identity.dns": ("a.example", "b.example")}
    assert Template.parse(text).filled(values) == filled


@pytest.mark.parametrize(
    "text", ["{", "}", "{a", "a}", "{}", "{a b}", "{identity.nope}", "a\r\nb", "caf\u00e9", "{a-b}"]
)
def test_a_template_that_cannot_be_filled_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        Template.parse(text)


@given(st.text())
def test_no_value_can_leave_its_place_in_a_header_list(value: str) -> None:
    safe = header_safe(value)
    assert safe.isascii()
    assert not set(safe) & set(", \t\r\n\x00\x7f")


@given(st.text())
def test_no_template_raises_anything_but_template_error(text: str) -> None:
    try:
        Template.parse(text)
    except TemplateError:
        return


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_two_values_never_look_the_same(one: str, other: str) -> None:
    assert (header_safe(one) == header_safe(other)) == (one == other)
