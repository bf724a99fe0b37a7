"""The filter for plain requests: what passes is read in one way, and all that is plain passes."""

import re
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extauth.istio.plain_requests import LONG_METHOD, PLAIN_AUTHORITY, PLAIN_METHOD, PLAIN_TARGET, REFUSED_TARGET
from policies.engine.errors import RequestError
from policies.engine.path import path_segments
from policies.engine.target import canonical_target

_FIRST_ESCAPED = 0x80
_SURROGATES = range(0xD800, 0xE000)


def passes(target: str) -> bool:
    refused = any(re.fullmatch(expression, target) for expression in REFUSED_TARGET)
    return all(re.fullmatch(expression, target) for expression in PLAIN_TARGET) and not refused


def test_every_character_beyond_ascii_passes_escaped_just_where_peergate_takes_it() -> None:
    judged = {True: 0, False: 0}
    for code in range(_FIRST_ESCAPED, 0x110000):
        if code in _SURROGATES:
            continue
        path = f"/x{quote(chr(code))}"
        try:
            path_segments(path)
            taken = True
        except RequestError:
            taken = False
        assert passes(path) is taken, (hex(code), unicodedata.unidata_version)
        judged[taken] += 1
    assert judged[False] > 50


@given(st.text(alphabet="/.%%%%aA0123456789bcdefEF~;=*\\ ?#:é", max_size=20).map("/{}".format))
def test_what_passes_is_a_path_that_peergate_judges(target: str) -> None:
    if passes(target):
        canonical_target("GET", target, "h.example")


@given(st.lists(st.text(alphabet="ab.~%", min_size=1, max_size=4), min_size=1, max_size=3))
def test_no_two_spellings_of_a_path_pass(segments: list[str]) -> None:
    """Every escape of a character that can stand for itself is refused, so a literal has one spelling."""
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    for character in "ab.~":
        other = path.replace(character, f"%{ord(character):02X}", 1)
        assert other == path or not passes(other)


@pytest.mark.parametrize(
    "target",
    [
        *("/", "/a", "/a/", "/.well-known/x", "/...", "/a..b", "/v1/orders?x=..%2f;", "/My%20Doc.pdf", "/caf%C3%A9"),
        "/a:b@c,d",
    ],
)
def test_ordinary_targets_pass(target: str) -> None:
    assert passes(target)


@pytest.mark.parametrize(
    "target",
    [
        *("", "*", "a", "?", "//", "/a//b", "/.", "/..", "/a/..", "/./a", "/a/../b", "/a/..?x", "/%2e", "/%2e%2e/a"),
        *("/a%2fb", "/a%5cb", "/a\\b", "/a;b", "/a%3bb", "/a%00", "/a%", "/a%2", "/a%zz", "/%41", "/%7e", "/a%25"),
        *("/a%3f", "/a#b", "/a%C0%AF", "/a%ED%A0%80", "/a%F4%90%80%80", "/a%FF", "/a%80", "/a%C3", "/é", "/a b"),
        *("/a%0a", "/a\n", "/a?\nb"),
        *("/a=b", "/a*", "/a%2A", "/a%3D", "/a%EF%BC%8Fb", "/a%ef%bc%8f?x"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(target: str) -> None:
    assert not passes(target)


@pytest.mark.parametrize("host", ["a", "a.b", "A.b", "a:0", "a:80", "a:65535", "a:00080", "10.0.0.1"])
def test_a_host_with_or_without_a_port_passes(host: str) -> None:
    assert re.fullmatch(PLAIN_AUTHORITY, host)


@pytest.mark.parametrize(
    "host", ["", "a:", "a:x", "a:65536", "a:99999", "a:123456", "a:80,b", "a@b", "a,b", "[::1]", "a b"]
)
def test_another_host_is_refused(host: str) -> None:
    assert not re.fullmatch(PLAIN_AUTHORITY, host)


def test_a_method_is_a_token_in_capitals_as_long_as_peergate_takes_it() -> None:
    assert re.fullmatch(PLAIN_METHOD, "M" * 32)
    assert not re.fullmatch(LONG_METHOD, "M" * 32)
    assert re.fullmatch(LONG_METHOD, "M" * 33)
    assert not any(re.fullmatch(PLAIN_METHOD, method) for method in ("G(T", "get", "DELETe"))
