"""Method, target and host together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.errors import HostInvalid, PathAmbiguous, RequestError, RequestMalformed
from policies.engine.limits import MAX_PATH_CHARS
from policies.engine.target import canonical_target


@pytest.mark.parametrize(
    ("target", "segments"),
    [
        ("/a", ("a",)),
        ("/a?b=/../%zz#c", ("a",)),
        ("/?", ("",)),
        ("http://h/a", ("a",)),
        ("HTTPS://H:443/a?x", ("a",)),
    ],
)
def test_the_path_ends_before_the_query_and_absolute_form_is_understood(target: str, segments: tuple[str, ...]) -> None:
    assert canonical_target("GET", target, "h") == ("h", segments)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("CONNECT", "/a"), ("CONNECT", "h:443"), ("OPTIONS", "*"), ("GET", ""), ("GET", "?a"), ("GET", "a"),
        ("GET", "ftp://h/a"), ("GET", "http://h"), ("GET", "http://h?x"), ("GET", "h:443"), ("", "/a"), ("GE T", "/a"),
        ("GET\r\n", "/a"), ("G" * 33, "/a"), ("GÉT", "/a"), ("GET", "/" + "a" * MAX_PATH_CHARS),
    ],
)  # fmt: skip
def test_what_is_neither_origin_form_nor_absolute_form_is_malformed(method: str, target: str) -> None:
    with pytest.raises(RequestMalformed):
        canonical_target(method, target, "h")


@pytest.mark.parametrize("target", ["http://other/a", "http://u@h/a", "http:///a", "http://h,h/a"])
def test_an_absolute_form_that_names_another_host_is_refused(target: str) -> None:
    with pytest.raises(HostInvalid):
        canonical_target("GET", target, "h")


def test_the_first_reason_in_order_wins() -> None:
    with pytest.raises(RequestMalformed):
        canonical_target("CONNECT", "/..", "a,b")
    with pytest.raises(HostInvalid):
        canonical_target("GET", "/..", "a,b")
    with pytest.raises(PathAmbiguous):
        canonical_target("GET", "/..", "a")


def test_an_unusual_method_is_a_method() -> None:
    assert canonical_target("PROPFIND", "/a", "h") == ("h", ("a",))


@given(st.text(), st.text(), st.text())
def test_no_request_raises_anything_but_a_request_error(method: str, target: str, host: str) -> None:
    for name in (host, "h"):
        try:
            canonical_target(method, target, name)
        except RequestError:
            continue
