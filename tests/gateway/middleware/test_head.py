"""What is remembered of header names never stands for values, and a flood of names is forgotten."""

from typing import Any

import pytest

from gateway.middleware import head
from gateway.middleware.head import read_headers
from gateway.middleware.limits import MAX_REMEMBERED_HEAD_BYTES
from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS

WANTED = frozenset({"host", "x-ring"})
NONE: frozenset[str] = frozenset()


def test_the_same_names_with_other_values_are_read_anew() -> None:
    one = [(b"host", b"a"), (b"accept", b"x"), (b"x-ring", b"1")]
    other = [(b"host", b"b"), (b"accept", b"y"), (b"x-ring", b"2")]
    assert read_headers(one, WANTED, NONE)[2] == {"host": ("a",), "x-ring": ("1",)}
    assert read_headers(other, WANTED, NONE)[2] == {"host": ("b",), "x-ring": ("2",)}


def test_the_same_names_in_another_order_are_another_head() -> None:
    one, other = [(b"host", b"a"), (b"x-ring", b"1")], [(b"x-ring", b"1"), (b"host", b"a")]
    assert read_headers(one, WANTED, NONE)[2] == read_headers(other, WANTED, NONE)[2]


def test_what_another_policy_reads_is_another_head() -> None:
    headers = [(b"host", b"a"), (b"x-ring", b"1"), (b"x-stage", b"2")]
    assert read_headers(headers, WANTED, NONE)[2].keys() == {"host", "x-ring"}
    assert read_headers(headers, frozenset({"x-stage"}), NONE)[2].keys() == {"x-stage"}


def test_values_of_one_name_stay_in_order_of_receipt_whatever_its_case() -> None:
    headers = [(b"X-Ring", b"1"), (b"host", b"a"), (b"x-ring", b"\xff")]
    assert read_headers(headers, WANTED, NONE)[2]["x-ring"] == ("1", "\udcff")
    assert read_headers(headers, WANTED, NONE)[0] == ("x-ring", "host", "x-ring")


def test_what_is_always_read_is_read_beside_what_a_policy_wants() -> None:
    headers = [(b"host", b"a"), (b"x-ring", b"1"), (b"traceparent", b"2")]
    assert read_headers(headers, WANTED, frozenset({"traceparent"}))[2].keys() == {"host", "x-ring", "traceparent"}
    assert read_headers(headers, frozenset({"traceparent"}), WANTED)[2].keys() == {"host", "x-ring", "traceparent"}
    assert read_headers(headers, frozenset({"traceparent"}), NONE)[2].keys() == {"traceparent"}


def test_several_hosts_are_all_told() -> None:
    headers = [(b"Host", b"a"), (b"accept", b"x"), (b"host", b"\xffb")]
    assert read_headers(headers, NONE, NONE) == (("host", "accept", "host"), "a,\udcffb", {})


def test_too_many_headers_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(MalformedQuestionError, match="more than"):
            read_headers([(b"a", b"b")] * (MAX_HEADERS + 1), WANTED, NONE)


def test_a_flood_of_names_is_forgotten() -> None:
    for number in range(500):
        read_headers([(b"x-%d-%s" % (number, b"a" * 30_000), b"")] * 10, WANTED, NONE)
    held = sum(len(raw[0]) * len(raw) for raw, _, _ in [*head._HEADS._young, *head._HEADS._old])
    assert held <= MAX_REMEMBERED_HEAD_BYTES


def test_no_headers_are_no_names() -> None:
    assert read_headers([], WANTED, NONE) == ((), "", {})


@pytest.mark.parametrize("odd", [(b"host",), (b"host", b"a", b"b"), b"host", ()])
def test_a_header_that_is_no_pair_is_never_read(odd: Any) -> None:
    for headers in ([odd], [(b"accept", b"x"), odd], [odd, odd]):
        with pytest.raises(ValueError):
            read_headers(headers, WANTED, NONE)
