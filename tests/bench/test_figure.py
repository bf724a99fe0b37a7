"""Figures and their bounds."""

import pytest

from bench.figure import Bound, Figure, percentile, ratios


def test_a_bound_from_above_includes_its_limit() -> None:
    assert (Bound(6).verdict(6.0), Bound(6).verdict(6.01)) == ("PASS", "over")


def test_a_bound_from_below_includes_its_limit() -> None:
    bound = Bound(0.8, at_least=True)
    assert (bound.verdict(0.8), bound.verdict(0.79)) == ("PASS", "under")


def test_a_figure_is_the_median_of_its_rounds() -> None:
    figure = Figure("part", "name", "µs", (1.0, 9.0, 2.0), Bound(2))
    assert (figure.value, figure.middle_half, figure.verdict, figure.is_missed) == (2.0, (1.5, 5.5), "PASS", False)


def test_a_figure_of_one_round_has_no_spread() -> None:
    assert Figure("part", "name", "s", (3.0,)).middle_half == (3.0, 3.0)


def test_a_figure_without_a_bound_misses_none() -> None:
    figure = Figure("part", "name", "s", (3.0,))
    assert (figure.verdict, figure.is_missed) == ("", False)


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([10.0, 30.0], [5.0, 10.0]) == (2.0, 3.0)


def test_ratios_of_different_numbers_of_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(range(100, 0, -1), share) == value
