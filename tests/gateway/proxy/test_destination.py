"""`--upstream` says where requests go, or says what to write instead."""

import pytest

from gateway.proxy.destination import Destination
from gateway.proxy.upstream import UpstreamTable
from runtime.errors import ConfigurationError

PIN = "sha256:" + "A" * 43 + "="


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8000", Destination(None, (), False, "127.0.0.1", 8000)),
        ("http://app", Destination(None, (), False, "app", 80)),
        ("https://app/", Destination(None, (), True, "app", 443)),
        ("https://[::1]:9", Destination(None, (), True, "::1", 9)),
        ("H.Example:8443=http://a:1", Destination("h.example", (), False, "a", 1)),
        ("h.example/v1=http://a:1", Destination("h.example", ("v1",), False, "a", 1)),
        ("h.example/v1/%61/=http://a:1", Destination("h.example", ("v1", "a"), False, "a", 1)),
        ("/v1=http://a:1", Destination(None, ("v1",), False, "a", 1)),
        ("/=http://a:1", Destination(None, (), False, "a", 1)),
        ("https://a#spiffe://td/x", Destination(None, (), True, "a", 443, "spiffe://td/x")),
        (f"https://a#{PIN}", Destination(None, (), True, "a", 443, PIN)),
    ],
)
def test_an_upstream_is_read(text: str, expected: Destination) -> None:
    assert Destination.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:8000",
        "ftp://a",
        "http://",
        "http://a/path",
        "http://a?x",
        "http://u:p@a",
        "http://a:0",
        "http://a:99999",
        "http://a:x",
        "http://a b",
        "=http://a x",
        "bad host=http://a",
        "a..b=http://a",
        "h/a/../b=http://a",
        "h//a=http://a",
        "http://a#spiffe://td/x",
        "https://a#spiffe://TD/x",
        "https://a#sha256:short",
        "https://a#name",
        "http://a\n",
    ],
)
def test_what_is_none_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"upstream|https|SPIFFE|write|host|port|PIN"):
        Destination.parse(text)


@pytest.mark.parametrize("text", ["127.0.0.1:18080", "orders.internal:80", "[::1]:9"])
def test_a_host_and_a_port_alone_are_refused_with_the_url_to_write(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Destination.parse(text)
    assert str(caught.value) == f"{text!r} is no upstream; write http://{text}"


def test_a_destination_is_shown_as_a_url() -> None:
    assert str(Destination.parse("h/v1=https://[::1]:9#spiffe://td/x")) == "https://[::1]:9"


def test_a_request_that_no_rule_could_allow_has_no_upstream() -> None:
    table = UpstreamTable([Destination.parse("/v1=http://a")])
    assert table.upstream("GET", "/v1/../x", "h") is None
    assert table.upstream("GET", "/v1/x", "a,b") is None
    assert table.upstream("GET", "/v1/x", "h") is not None
