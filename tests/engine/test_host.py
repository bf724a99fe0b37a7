"""Law 6: one host, canonical, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.errors import HostInvalid
from policies.engine.host import HostPattern, canonical_host


@pytest.mark.parametrize(
    ("received", "canonical"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("a.example.", "a.example"),
        ("a.example:8443", "a.example"),
        ("a.example.:1", "a.example"),
        ("my_svc.prod", "my_svc.prod"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]:443", "[::1]"),
        ("[FD00::A]", "[fd00::a]"),
    ],
)
def test_a_host_is_lower_cased_without_port_and_trailing_dot(received: str, canonical: str) -> None:
    assert canonical_host(received) == canonical


@pytest.mark.parametrize(
    "received",
    [
        "", ".", "a..b", ".a", "a.example..", "a,b", "a.example,a.example", "a@b", "user:pw@a", "a%2eb",
        "bücher.example",
        "a b", " a", "a ", "a\t", "a\x00", "a:", "a:x", "a:99999", "a:123456", "a:80:80", "[::1", "::1", "[::1]x",
        "[1.2.3.4]",
        "[::1%25eth0]", "[fe80::1%eth0]", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "0x7f.1", "127.0.0.0x1",
        "a.0x",
        "a.example/x", "http://a", "a?b", "a#b", "*.a", "{x}.a", "a" * 64 + ".x", ".".join(["a" * 60] * 5),
        "a\n", "a\udcff",
    ],
)  # fmt: skip
def test_anything_but_one_acceptable_host_is_refused(received: str) -> None:
    with pytest.raises(HostInvalid):
        canonical_host(received)


@given(st.text(max_size=40))
def test_no_host_raises_anything_but_host_invalid_and_canonical_hosts_stay_as_they_are(received: str) -> None:
    try:
        once = canonical_host(received)
    except HostInvalid:
        return
    assert canonical_host(once) == once


@pytest.mark.parametrize(
    ("pattern", "host", "bound"),
    [
        ("a.example", "a.example", {}),
        ("a.example", "b.a.example", None),
        ("*.example", "a.example", {}),
        ("*.example", "b.a.example", None),
        ("*.example", "example", None),
        ("*.example", "xexample", None),
        ("{t}.example", "acme.example", {"t": "acme"}),
        ("**.example", "b.a.example", {}),
        ("**.example", "example", None),
        ("*.1a", "[::1a]", None),
        ("10.0.0.1", "10.0.0.1", {}),
    ],
)
def test_a_pattern_matches_whole_labels(pattern: str, host: str, bound: dict[str, str] | None) -> None:
    assert HostPattern.parse(pattern).bound(host) == bound


@pytest.mark.parametrize(
    "text", ["*", "*.", "a.*", "a*.b", "*a.b", "**", "***.a", "a.{x}", "{}.a", "{1}.a", "{a.b}.c", "a:80", "*.10.0.0.1",
             "*.0.0.1", "http://a", "", "[::1]:80", "*.[::1]"]
)  # fmt: skip
def test_a_pattern_that_could_never_match_is_refused(text: str) -> None:
    with pytest.raises(HostInvalid):
        HostPattern.parse(text)


PATTERNS = st.builds(
    lambda head, suffix: head + suffix,
    st.sampled_from(["", "*.", "**.", "{t}."]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).map(".".join),
).map(HostPattern.parse)
HOSTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5).map(".".join)


@given(PATTERNS, PATTERNS, HOSTS)
def test_a_pattern_that_covers_another_matches_whatever_it_matches(
    wide: HostPattern, narrow: HostPattern, host: str
) -> None:
    if wide.covers(narrow) and narrow.bound(host) is not None:
        assert wide.bound(host) is not None


@given(PATTERNS)
def test_a_pattern_reads_back_as_itself(pattern: HostPattern) -> None:
    assert HostPattern.parse(str(pattern)) == pattern
