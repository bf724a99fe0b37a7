"""Finds patterns that cross a pattern, whichever of their segments are wildcards.

A set of numbers is an integer with their bits, so a segment of a pattern is compared with all that is filed at once.

Law kept here: a number that is not found has no pattern that `certainty.unifies` with the one that was asked for.
"""

from collections import defaultdict

from policies.engine.pattern import SegmentPattern

#: Segments of a pattern that are looked at. What differs only later is found, and told apart by whoever asked.
_MAX_SEGMENTS = 32


class PatternIndex:
    """Numbers filed under patterns, one under several if need be."""

    def __init__(self) -> None:
        self._literal: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._wild: defaultdict[int, int] = defaultdict(int)
        self._sized: defaultdict[int, int] = defaultdict(int)
        self._open: defaultdict[int, int] = defaultdict(int)

    def file(self, pattern: SegmentPattern, number: int) -> None:
        """File `number` under `pattern`."""
        bit = 1 << number
        self._sized[len(pattern.segments)] |= bit
        if pattern.rest:
            self._open[len(pattern.segments)] |= bit
        for at, part in enumerate(pattern.segments[:_MAX_SEGMENTS]):
            if isinstance(part, str):
                self._literal[at, part] |= bit
            else:
                self._wild[at] |= bit

    def crossing(self, pattern: SegmentPattern) -> int:
        """The numbers under patterns that may match something that `pattern` matches, as bits; maybe some more."""
        found, ended = self._as_long_as(pattern), 0
        for at, part in enumerate(pattern.segments[:_MAX_SEGMENTS]):
            ended |= self._open.get(at, 0)
            if isinstance(part, str):
                found &= self._literal.get((at, part), 0) | self._wild.get(at, 0) | ended
        return found

    def _as_long_as(self, pattern: SegmentPattern) -> int:
        size = len(pattern.segments)
        found = self._sized.get(size, 0)
        for other, numbers in (self._sized if pattern.rest else {}).items():
            found |= numbers if other > size else 0
        for other, numbers in self._open.items():
            found |= numbers if other < size else 0
        return found


def numbers_in(bits: int) -> list[int]:
    """The numbers whose bits are set, descending."""
    found = []
    while bits:
        number = bits.bit_length() - 1
        found.append(number)
        bits ^= 1 << number
    return found
