"""A measured figure, and the bound that it must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit that a figure keeps: at most `limit`, or at least `limit`."""

    limit: float
    at_least: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` keeps it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self, value: float) -> str:
        """`PASS`, or on which side of the bound `value` is."""
        if self.holds(value):
            return "PASS"
        return "under" if self.at_least else "over"

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `samples`: one value for each round, in `unit`; `note`: what else is to be known."""

    part: str
    name: str
    unit: str
    samples: tuple[float, ...]
    bound: Bound | None = None
    note: str = ""

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.samples)

    @property
    def middle_half(self) -> tuple[float, float]:
        """The first and the third quartile of the rounds: how much they differ."""
        if len(self.samples) < 2:
            return self.samples[0], self.samples[0]
        first, _, third = quantiles(self.samples, n=4, method="inclusive")
        return first, third

    @property
    def verdict(self) -> str:
        """`PASS`, `over`, `under`, or nothing where there is no bound."""
        return self.bound.verdict(self.value) if self.bound is not None else ""

    @property
    def is_missed(self) -> bool:
        """Whether there is a bound and it is not kept."""
        return self.bound is not None and not self.bound.holds(self.value)


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Round by round, so that what slows the machine for a while slows both sides of a ratio."""
    return tuple(above / below for above, below in zip(numerators, denominators, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
