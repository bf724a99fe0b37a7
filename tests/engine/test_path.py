"""Law 6: a path is judged decoded, or refused."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.errors import PathAmbiguous
from policies.engine.path import path_segments


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", ("",)),
        ("/a", ("a",)),
        ("/a/", ("a", "")),
        ("/a/b/c", ("a", "b", "c")),
        ("/%41", ("A",)),
        ("/%40x/%7Euser", ("@x", "~user")),
        ("/a%20b", ("a b",)),
        ("/caf%C3%A9", ("café",)),
        ("/.well-known/x", (".well-known", "x")),
        ("/..a/b..", ("..a", "b..")),
        ("/a,b;"[:-1], ("a,b",)),
        ('/"<>^`{|}[]', ('"<>^`{|}[]',)),
    ],
)
def test_an_unambiguous_path_is_decoded_once(path: str, segments: tuple[str, ...]) -> None:
    assert path_segments(path) == segments


@pytest.mark.parametrize(
    "path",
    [
        "/a\\b", "/a;v=1", "/a#b", "/?", "/a?b", "/a\x00", "/a\x1f", "/a\x7f", "/a b", "/a\u00e9", "/a\udcff",
        "/a%5cb", "/a%5Cb", "/a%3b", "/a%23", "/a%00", "/a%0a", "/a%7f", "/a%1F",
        "/a%2fb", "/a%2Fb", "/a%25b", "/a%2525b", "/a%3fb",
        "/a%", "/a%4", "/a%zz", "/a%4g", "/%%41",
        "/%c0%af", "/%c0%ae", "/%e0%80%af", "/%ff", "/%ed%a0%80", "/%f4%90%80%80", "/%C3",
        "//", "//a", "/a//b", "/a//",
        "/.", "/..", "/a/./b", "/a/../b", "/%2e", "/%2e%2e/a", "/.%2e/a", "/%2E./a", "/a/..",
        "/%ef%bc%8f", "/%ef%bc%8e%ef%bc%8e/a", "/%e2%80%a4", "/%cd%be", "/%ef%bc%85", "/%ef%bc%9f", "/%ef%bc%83",
        "/%c2%80", "/%c2%9f", "/%e2%81%88",
        "", "a", "?a",
    ],
)  # fmt: skip
def test_a_path_that_readers_could_see_differently_is_refused(path: str) -> None:
    with pytest.raises(PathAmbiguous):
        path_segments(path)


@given(st.text())
def test_no_path_raises_anything_but_path_ambiguous(path: str) -> None:
    try:
        path_segments("/" + path)
    except PathAmbiguous:
        return


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_accepted_escaped_decodes_to_what_was_meant(text: str) -> None:
    path = "/" + quote(text, safe="")
    try:
        (segment,) = path_segments(path)
    except PathAmbiguous:
        return
    assert segment == text


@given(st.lists(st.sampled_from(["a", "b%41", "%2e", "..", "", "%2f", "x;y", "é", "~", "."]), max_size=5))
def test_an_accepted_path_has_no_empty_or_dot_segment_inside(parts: list[str]) -> None:
    try:
        segments = path_segments("/" + "/".join(parts))
    except PathAmbiguous:
        return
    assert "" not in segments[:-1]
    assert not {".", ".."} & set(segments)
    assert not any("/" in segment for segment in segments)
