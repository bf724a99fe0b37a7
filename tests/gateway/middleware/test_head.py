"""What is remembered of header names never stands for values, and a flood of names is forgotten."""

import pytest

from gateway.middleware import head
from gateway.middleware.head import head_from_raw
from gateway.middleware.limits import MAX_REMEMBERED_HEAD_BYTES
from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS

WANTED = frozenset({"host", "x-ring"})


def test_the_same_names_with_other_values_are_read_anew() -> None:
    one = [(b"host", b"a"), (b"accept", b"x"), (b"x-ring", b"1")]
    other = [(b"host", b"b"), (b"accept", b"y"), (b"x-ring", b"2")]
    assert head_from_raw(one, WANTED) is head_from_raw(other, WANTED)
    assert head_from_raw(one, WANTED).found(one) == {"host": ("a",), "x-ring": ("1",)}
    assert head_from_raw(other, WANTED).found(other) == {"host": ("b",), "x-ring": ("2",)}


def test_the_same_names_in_another_order_are_another_head() -> None:
    one, other = [(b"host", b"a"), (b"x-ring", b"1")], [(b"x-ring", b"1"), (b"host", b"a")]
    assert head_from_raw(one, WANTED).found(one) == head_from_raw(other, WANTED).found(other)


def test_what_another_policy_reads_is_another_head() -> None:
    headers = [(b"host", b"a"), (b"x-ring", b"1"), (b"x-stage", b"2")]
    assert head_from_raw(headers, WANTED).found(headers).keys() == {"host", "x-ring"}
    assert head_from_raw(headers, frozenset({"x-stage"})).found(headers).keys() == {"x-stage"}


def test_values_of_one_name_stay_in_order_of_receipt_whatever_its_case() -> None:
    headers = [(b"X-Ring", b"1"), (b"host", b"a"), (b"x-ring", b"\xff")]
    assert head_from_raw(headers, WANTED).found(headers)["x-ring"] == ("1", "\udcff")
    assert head_from_raw(headers, WANTED).names == ("x-ring", "host", "x-ring")


def test_too_many_headers_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(MalformedQuestionError, match="more than"):
            head_from_raw([(b"a", b"b")] * (MAX_HEADERS + 1), WANTED)


def test_a_flood_of_names_is_forgotten() -> None:
    for number in range(500):
        head_from_raw([(b"x-%d-%s" % (number, b"a" * 30_000), b"")] * 10, WANTED)
    held = sum(len(raw[0]) * len(raw) for raw, _ in [*head._HEADS._young, *head._HEADS._old])
    assert held <= MAX_REMEMBERED_HEAD_BYTES
