"""Patterns match segment by segment, and the trie finds what the patterns match."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.path import path_segments
from policies.engine.pattern import PatternError, SegmentPattern, Wild, path_pattern, uri_pattern, uri_segments
from policies.engine.trie import SegmentTrie


@pytest.mark.parametrize(
    ("pattern", "path", "bound"),
    [
        ("/a", "/a", {}),
        ("/a", "/a/", None),
        ("/a/", "/a/", {}),
        ("/a/", "/a", None),
        ("/a/*", "/a/b", {}),
        ("/a/*", "/a/", None),
        ("/a/*", "/a/b/c", None),
        ("/a/{x}", "/a/b%20c", {"x": "b c"}),
        ("/{x}/{x}", "/a/a", {"x": "a"}),
        ("/{x}/{x}", "/a/b", None),
        ("/a/**", "/a", {}),
        ("/a/**", "/a/", {}),
        ("/a/**", "/a/b/c/", {}),
        ("/a/**", "/ab", None),
        ("/**", "/", {}),
        ("/", "/", {}),
        ("/%41", "/A", {}),
        ("/%2A", "/*", {}),
        ("/a", "/A", None),
    ],
)
def test_a_path_pattern_matches_decoded_segments(pattern: str, path: str, bound: dict[str, str] | None) -> None:
    assert path_pattern(pattern).bound(path_segments(path)) == bound


@pytest.mark.parametrize(
    ("pattern", "uri", "matches"),
    [
        ("spiffe://a.b/x", "spiffe://a.b/x", True),
        ("spiffe://a.b/**", "spiffe://a.bc/x", False),
        ("spiffe://a.b/x/*", "spiffe://a.b/x/y", True),
        ("spiffe://a.b/x/*", "spiffe://a.b/x/y/z", False),
        ("spiffe://a.b/x/**", "spiffe://a.b/x/y/z", True),
        ("spiffe://a.b/x", "spiffe://a.b/x\n", False),
        ("spiffe://a.b/x/*", "spiffe://a.b/x/", False),
        ("urn:x:y", "urn:x:y", True),
        ("https://a/b", "https://a/b?c", False),
    ],
)
def test_a_uri_pattern_never_matches_across_a_segment(pattern: str, uri: str, matches: bool) -> None:
    assert (uri_pattern(pattern).bound(uri_segments(uri)) is not None) is matches


@pytest.mark.parametrize(
    "text",
    ["a", "/a?b", "/a*", "/*a", "/**/a", "/{a}b", "/{}", "/{1a}", "/{a-b}", "/a//b", "/../a", "/%2f", "/a b", "/é"],
)
def test_a_path_pattern_that_could_never_match_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        path_pattern(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<id>", "/{id}"),
        ("<int:id>/files", "/{id}/files"),
        (":id", "/{id}"),
        ("$x", "/{x}"),
        ("${x}/**", "/{x}/**"),
        ("users/:id", "/users/{id}"),
        (":a/<b>/$c", "/{a}/{b}/{c}"),
    ],
)
def test_a_path_with_a_variable_of_another_router_is_refused_with_the_path_as_it_is_written_here(
    text: str, written: str
) -> None:
    with pytest.raises(PatternError, match=rf"is written `{{name}}`; write `{re.escape(written)}`$"):
        path_pattern(text)
    assert path_pattern(written).captures


@pytest.mark.parametrize("text", ["<", "<>", "<a-b>", ":", ":id?", "::", "$", "$1", "${", "<id>.json", "<" * 100_000])
def test_a_path_that_starts_like_a_variable_and_is_none_says_how_one_is_written(text: str) -> None:
    with pytest.raises(PatternError, match=r"is written `{name}`, a whole segment; write it as in `/files/{name}`$"):
        path_pattern(text)


@pytest.mark.parametrize("text", ["", "a", "v1/invoices", "{id}", "a$x", "a:b/c", "é"])
def test_a_path_without_a_variable_of_another_router_is_told_its_slash_only(text: str) -> None:
    with pytest.raises(PatternError, match=f"does not start with /; write `/{re.escape(text)}`$"):
        path_pattern(text)


@pytest.mark.parametrize("text", ["spiffe://*/a", "spiffe://{td}/a", "spiffe://td/sa-*", "spiffe://td/**/a", "urn:*",
                                  "*://td/a", "spiffe://td/{a}{b}"])  # fmt: skip
def test_a_uri_pattern_with_a_misplaced_wildcard_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        uri_pattern(text)


SEGMENT_PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "{x}", "{y}"]), min_size=1, max_size=4).flatmap(
    lambda parts: st.sampled_from([parts, [*parts, "**"]])
)
PATHS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5).flatmap(
    lambda parts: st.sampled_from([parts, [*parts, ""]])
)


@given(st.lists(SEGMENT_PATTERNS, max_size=12), PATHS)
def test_the_trie_finds_exactly_the_shapes_that_match(patterns: list[list[str]], path: list[str]) -> None:
    trie: SegmentTrie[list[int]] = SegmentTrie(list)
    parsed = [path_pattern("/" + "/".join(parts)) for parts in patterns]
    for position, pattern in enumerate(parsed):
        trie.bucket(pattern).append(position)
    found = sorted(position for bucket in trie.buckets(path) for position in bucket)
    assert found == [position for position, pattern in enumerate(parsed) if _shape(pattern).bound(path) is not None]


def test_a_path_that_forks_at_every_segment_is_walked_without_recursion() -> None:
    trie: SegmentTrie[list[int]] = SegmentTrie(list)
    depth = 2000
    for number in range(depth):
        trie.bucket(SegmentPattern((*[Wild()] * number, "a"))).append(number)
    assert trie.buckets(["a"] * depth) == [[depth - 1]]


def _shape(pattern: SegmentPattern) -> SegmentPattern:
    """The pattern without names, as a name that occurs twice is not the trie's business."""
    return path_pattern(
        "/" + "/".join([part if isinstance(part, str) else "*" for part in pattern.segments] + ["**"] * pattern.rest)
    )
