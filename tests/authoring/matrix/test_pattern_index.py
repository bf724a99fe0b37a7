"""Patterns that cross a pattern are found whichever of their segments are wildcards."""

from hypothesis import given
from hypothesis import strategies as st

from policies.authoring.matrix.certainty import unifies
from policies.authoring.matrix.pattern_index import PatternIndex, numbers_in
from policies.engine.pattern import SegmentPattern, Wild

PARTS = st.sampled_from(["a", "b", "c", "", Wild(), Wild("t")])
PATTERNS = st.builds(SegmentPattern, st.lists(PARTS, max_size=5).map(tuple), st.booleans())


def _index(*patterns: SegmentPattern) -> PatternIndex:
    index = PatternIndex()
    for number, pattern in enumerate(patterns):
        index.file(pattern, number)
    return index


@given(st.lists(PATTERNS, max_size=8), PATTERNS)
def test_every_pattern_that_crosses_is_found(patterns: list[SegmentPattern], asked: SegmentPattern) -> None:
    found = numbers_in(_index(*patterns).crossing(asked))
    assert set(found) >= {number for number, pattern in enumerate(patterns) if unifies(pattern, asked)}


@given(st.lists(PATTERNS, max_size=8), PATTERNS)
def test_what_is_found_beside_it_differs_by_an_empty_segment_alone(
    patterns: list[SegmentPattern], asked: SegmentPattern
) -> None:
    found = numbers_in(_index(*patterns).crossing(asked))
    empty = "" in asked.segments
    assert all(unifies(patterns[number], asked) or empty or "" in patterns[number].segments for number in found)


def test_a_number_under_several_patterns_is_found_by_each() -> None:
    index = PatternIndex()
    index.file(SegmentPattern(("a", Wild(), "c")), 7)
    index.file(SegmentPattern(("b",)), 7)
    assert [
        numbers_in(index.crossing(SegmentPattern(("a", "x", "c")))),
        numbers_in(index.crossing(SegmentPattern(("b",)))),
    ] == [[7], [7]]


def test_patterns_that_differ_only_after_many_segments_are_still_found() -> None:
    deep = SegmentPattern((*["a"] * 1000, Wild(), "end"))
    assert numbers_in(_index(deep, SegmentPattern(("a",) * 3)).crossing(SegmentPattern(("a",) * 3, rest=True))) == [
        1,
        0,
    ]


def test_nothing_is_found_where_nothing_was_filed() -> None:
    assert numbers_in(_index().crossing(SegmentPattern((), rest=True))) == []
