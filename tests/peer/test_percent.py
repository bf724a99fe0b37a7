"""Strict percent-decoding."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.peer.percent import percent_decoded


@given(st.text(st.characters(max_codepoint=0x7F)))
def test_what_was_encoded_is_decoded(text: str) -> None:
    assert percent_decoded(quote(text, safe="")) == text


def test_a_plus_sign_is_a_plus_sign() -> None:
    assert percent_decoded("a+b%2Bc") == "a+b+c"


@pytest.mark.parametrize("text", ["%", "%4", "%zz", "a%", "%%41", "é", "%C3%A9", "%ff", "é%41"])
def test_half_escapes_and_non_ascii_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        percent_decoded(text)
