"""When a warning is due, and how little of a large trust is told every second."""

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.expiry import DAY_SECONDS, Expiring, ExpiryCalendar, ExpiryKind, rfc3339_from_seconds
from runtime.limits import MAX_EXPIRY_SERIES, MAX_NEAR_EXPIRIES
from tests.runtime.expiring import YEAR, ending
from tests.runtime.world import NOW

DAY = DAY_SECONDS
TIMES = st.floats(-1e11, 3e11, allow_nan=False)


@pytest.mark.parametrize(
    ("life_in_days", "warned_at"),
    [
        (3650, [1, 7, 14, 30, 3650 / 3]),
        (365, [1, 7, 14, 30, 365 / 3]),
        (90, [1, 7, 14, 30]),
        (60, [1, 7, 14, 20, 30]),
        (30, [1, 7, 10, 14]),
        (7, [1, 7 / 3]),
        (2, [2 / 3, 1]),
        (1, [1 / 3]),
        (0.0417, [0.0139]),
        (0, [0]),
        (-1, [0]),
    ],
)
def test_warnings_are_due_at_30_14_7_and_1_days_and_a_third_of_the_life(
    life_in_days: float, warned_at: list[float]
) -> None:
    thresholds = ending(1, life=life_in_days * DAY).thresholds
    assert [threshold / DAY for threshold in thresholds] == pytest.approx(warned_at, abs=1e-4)


@pytest.mark.parametrize(
    ("in_days", "passed"),
    [
        (122, None),
        (121, 365 / 3),
        (30.0001, 365 / 3),
        (29.9999, 30),
        (14, 30),
        (13.9, 14),
        (6.9, 7),
        (1, 7),
        (0.99, 1),
        (0, 1),
        (-0.0001, 0),
        (-400, 0),
    ],
)
def test_the_last_threshold_that_was_passed_counts(in_days: float, passed: float | None) -> None:
    found = ending(in_days).passed(NOW)
    assert (found if found is None else found / DAY) == passed


def test_at_its_very_end_an_object_still_counts_and_a_moment_later_no_more() -> None:
    item = ending(3)
    assert not item.has_ended(item.ends)
    assert item.has_ended(math.nextafter(item.ends, math.inf))


def test_below_a_third_of_its_life_an_object_is_told_though_it_lasts_for_years() -> None:
    root = ending(1200, life=3650 * DAY)
    assert ExpiryCalendar([root]).report(NOW).near == (root,)
    assert ExpiryCalendar([root]).report(NOW - 20 * DAY).near == ()


@given(starts=TIMES, ends=TIMES, now=TIMES)
def test_a_warning_that_is_due_is_of_an_object_that_is_near_its_end(starts: float, ends: float, now: float) -> None:
    item = Expiring(ExpiryKind.CRL, "mesh", "CN=x", b"", starts, ends)
    if item.passed(now) is not None:
        assert ExpiryCalendar([item]).report(now).near == (item,)


@given(ends=TIMES, now=TIMES)
def test_later_is_never_an_earlier_threshold(ends: float, now: float) -> None:
    item = Expiring(ExpiryKind.ANCHOR, "mesh", "CN=x", b"", ends - YEAR, ends)
    order = [math.inf if passed is None else passed for passed in map(item.passed, (now, now + DAY, now + 40 * DAY))]
    assert order == sorted(order, reverse=True)


def test_each_entry_and_kind_has_its_first_end() -> None:
    calendar = ExpiryCalendar(
        [
            ending(300),
            ending(200, digest=b"2"),
            ending(1, kind=ExpiryKind.CRL),
            ending(2, kind=ExpiryKind.CRL, digest=b"2"),
            ending(50, entry="partners"),
            ending(9, kind=ExpiryKind.SERVED, entry=None),
        ]
    )
    assert calendar.report(NOW).soonest == (
        ("mesh", ExpiryKind.ANCHOR, NOW + 200 * DAY),
        ("mesh", ExpiryKind.CRL, NOW + DAY),
        ("partners", ExpiryKind.ANCHOR, NOW + 50 * DAY),
    )


def test_what_is_far_from_its_end_is_not_told() -> None:
    week, far = ending(6.9, life=7 * DAY), ending(300)
    assert ExpiryCalendar([far, week]).report(NOW).near == (week,)
    assert ExpiryCalendar([far]).report(NOW).near == ()


def test_a_report_follows_the_clock_forward_and_back() -> None:
    soon, later = ending(10, life=21 * DAY), ending(20, life=21 * DAY)
    calendar = ExpiryCalendar([later, soon])
    assert [calendar.report(NOW + days * DAY).near for days in (0, 5, 15, 5, 0)] == [
        (),
        (soon,),
        (soon, later),
        (soon,),
        (),
    ]


def test_an_unchanged_report_is_the_same_one() -> None:
    calendar = ExpiryCalendar([ending(3)])
    assert calendar.report(NOW) is calendar.report(NOW + 1)


def test_a_report_is_bounded_and_says_what_it_leaves_out() -> None:
    items = [ending(1 + n / 1000, entry=f"entry-{n}", name="x" * 200) for n in range(2000)]
    report = ExpiryCalendar(reversed(items)).report(NOW)
    assert (len(report.near), report.near_count) == (MAX_NEAR_EXPIRIES, 2000)
    assert report.near == tuple(items[:MAX_NEAR_EXPIRIES])
    assert len(report.soonest) == MAX_EXPIRY_SERIES
    assert {entry for entry, _, _ in report.soonest} == {f"entry-{n}" for n in range(MAX_EXPIRY_SERIES)}
    sent = pickle.dumps(report)
    assert pickle.loads(sent) == report
    assert len(sent) < 200_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_900_000_000.25, "2030-03-17T17:46:40Z"),
        (253_402_300_799.0, "9999-12-31T23:59:59Z"),
        (-631_152_000.0, "1950-01-01T00:00:00Z"),
    ],
)
def test_every_date_that_a_certificate_can_have_can_be_written(seconds: float, text: str) -> None:
    assert rfc3339_from_seconds(seconds) == text
