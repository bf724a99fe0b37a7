"""A trace id is 32 hex digits of a well-formed traceparent, or none."""

import pytest

from runtime.trace import trace_id_from_traceparent

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@pytest.mark.parametrize("value", [f"00-{TRACE}-{PARENT}-01", f"cc-{TRACE}-{PARENT}-01-what-will-be"])
def test_the_trace_id_is_read(value: str) -> None:
    assert trace_id_from_traceparent((value,)) == TRACE


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("",),
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"00-{TRACE}-{PARENT}",),
        (f"ff-{TRACE}-{PARENT}-01",),
        (f"00-{TRACE.upper()}-{PARENT}-01",),
        (f"00-{'0' * 32}-{PARENT}-01",),
        (f"00-{TRACE}-{'0' * 16}-01",),
        (f"00-{TRACE}-{PARENT}-01\n",),
        (f"00-{TRACE}-{PARENT}-01-\udcff",),
        (f"00-{TRACE}-{PARENT}-01-" + "a" * 300,),
    ],
)
def test_anything_else_is_none(values: tuple[str, ...]) -> None:
    assert trace_id_from_traceparent(values) is None
