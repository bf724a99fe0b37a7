"""Dates as Envoy compares them, against `datetime`."""

import math
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extauth.native.dates import format_of_dates, formats_of_end, in_date
from tests.extauth.native.interpreter import dates_text

CENTURY = datetime(2000, 1, 1, tzinfo=UTC)
ENDS = re.compile(in_date(math.inf))
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
NOW = st.integers(0, 100 * 365 * 86_400).map(lambda seconds: CENTURY + timedelta(seconds=seconds))
ANY = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0))
SPANS = st.one_of(
    st.integers(-100, 100), st.integers(-100, 100).map(lambda days: days * 86_400), st.integers(-(10**9), 10**9)
)
#: Times that lie near each other, and any others.
PAIRS = st.one_of(
    st.tuples(NOW, SPANS).map(lambda drawn: (drawn[0], drawn[0] + timedelta(seconds=drawn[1]))), st.tuples(NOW, ANY)
)


@given(PAIRS)
@example((datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)))
@example((datetime(2027, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)))
@example((datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)))
@example((datetime(2026, 11, 27, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))
@example((datetime(2026, 11, 27, tzinfo=UTC), datetime(999, 12, 31, tzinfo=UTC)))
def test_a_certificate_is_in_date_in_every_second_before_its_last_one(times: tuple[datetime, datetime]) -> None:
    now, end = times
    assert (ENDS.fullmatch(dates_text(now, end)) is not None) == (now < end)


@given(PAIRS)
@example((CENTURY, CENTURY))
@example((CENTURY + timedelta(seconds=1), CENTURY))
@example((datetime(2026, 11, 27, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)))
def test_a_deadline_has_passed_from_its_second_on(times: tuple[datetime, datetime]) -> None:
    now, deadline = times
    found = re.fullmatch(in_date(deadline.timestamp() + 0.9), dates_text(now, FOREVER))
    assert (found is not None) == (now < deadline)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "20261127061205 05-12-06-27-11-2026-",  # a certificate without a date
        dates_text(datetime(2026, 11, 27, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) + "1",
        dates_text(datetime(1999, 11, 27, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        dates_text(datetime(2100, 1, 1, tzinfo=UTC), datetime(2127, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_is_no_pair_of_dates_of_this_century_is_never_in_date(text: str) -> None:
    assert ENDS.fullmatch(text) is None


def test_the_clock_is_read_from_seconds_to_years() -> None:
    # Whatever ends between two readings makes the time later: an earlier one would prolong a certificate.
    written = format_of_dates([f"k{number}" for number in range(len(formats_of_end()))])
    assert re.findall(r"EMIT_TIME\(%(\w+)\)", written) == ["S", "M", "H", "d", "m", "E4Y"]
    assert written.startswith("%EMIT_TIME(%E4Y%m%d%H%M%S)% ")
