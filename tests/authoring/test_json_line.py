"""One line is one object of plain values, or one documented error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.authoring.json_line import LineError, object_from_line
from policies.authoring.limits import MAX_LINE_BYTES


def test_an_object_is_read() -> None:
    assert object_from_line(b'{"a": [1, 2.5, null, true, "\\u00e9"]}\r') == {"a": [1, 2.5, None, True, "\u00e9"]}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "empty"),
        (b"  \t", "empty"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": "\xff"}', "byte 8 of the line is not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 41 + b"}", "more than 40 digits"),
        (b'{"a": 0.' + b"9" * 41 + b"}", "more than 40 digits"),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice"),
        (b'{"x": {"a": 1, "a": 1}}', "the key 'a' stands twice"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deep"),
        (b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}', "longer than 1048576 bytes"),
    ],
)
def test_what_json_leaves_open_or_a_limit_forbids_is_an_error(line: bytes, problem: str) -> None:
    with pytest.raises(LineError, match=problem):
        object_from_line(line)


@given(st.binary(max_size=200))
def test_law_no_bytes_raise_anything_else(line: bytes) -> None:
    try:
        found = object_from_line(line)
    except LineError:
        return
    assert isinstance(found, dict)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.text()))
def test_law_what_a_json_writer_writes_comes_back(values: dict[str, object]) -> None:
    assert object_from_line(json.dumps(values).encode()) == values
