"""Raw headers to text: no name is lost, values keep their bytes and their order."""

import pytest

from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS
from runtime.raw_headers import headers_from_raw

WANTED = frozenset({"x-a"})


def test_every_name_is_told_in_lower_case_and_only_wanted_values_are_read() -> None:
    names, found = headers_from_raw([(b"X-A", b"1"), (b"x-b", b"2"), (b"X-\xff", b"3")], WANTED)
    assert names == ["x-a", "x-b", "x-\xff"]
    assert found == {"x-a": ("1",)}


def test_repeated_values_stay_apart_and_in_order() -> None:
    assert headers_from_raw([(b"x-a", b"1"), (b"X-a", b"2,3")], WANTED)[1] == {"x-a": ("1", "2,3")}


def test_bytes_that_are_no_text_stay_unreadable() -> None:
    assert headers_from_raw([(b"x-a", b"\xff")], WANTED)[1] == {"x-a": ("\udcff",)}


def test_more_headers_than_the_limit_are_refused() -> None:
    assert len(headers_from_raw([(b"a", b"")] * MAX_HEADERS, WANTED)[0]) == MAX_HEADERS
    with pytest.raises(MalformedQuestionError, match=str(MAX_HEADERS)):
        headers_from_raw([(b"a", b"")] * (MAX_HEADERS + 1), WANTED)
