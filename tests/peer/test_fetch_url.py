"""A URL of a certificate counts only under a prefix of the policy, compared as both are taken apart."""

import pytest

from policies.peer.fetch_url import FetchUrl, UrlPrefix, fetchable


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("http://ca.example", "http://ca.example"),
        ("http://ca.example", "http://ca.example/any/thing"),
        ("http://ca.example/", "http://CA.example:80/ocsp"),
        ("https://ca.example:443/ocsp", "https://ca.example/ocsp/"),
        ("http://ca.example/ocsp/", "http://ca.example/ocsp"),
        ("http://ca.example/a/b", "http://ca.example/a/b/c"),
        ("http://[fd00::1]:8080/a", "http://[fd00::1]:8080/a/b"),
    ],
)
def test_what_lies_under_a_prefix_is_let_through(prefix: str, url: str) -> None:
    assert UrlPrefix.parse(prefix).covers(FetchUrl.parse(url))


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("http://ca.example", "http://ca.example.evil"),
        ("http://ca.example", "http://ca.example.evil/ca.example"),
        ("http://ca.example", "http://evil/http://ca.example"),
        ("http://ca.example", "https://ca.example"),
        ("http://ca.example", "http://ca.example:8080"),
        ("http://ca.example:8080", "http://ca.example:80"),
        ("http://ca.example", "http://ca.example."),
        ("http://ca.example/ocsp", "http://ca.example"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp-admin"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp/../admin"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp/%2e%2e/admin"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp/./a"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp//a"),
        ("http://ca.example/ocsp", "http://ca.example//ocsp/a"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp?to=admin"),
        ("http://ca.example/ocsp", "http://ca.example/ocsp/a;b"),
        ("http://ca.example/ocsp", "http://ca.example/OCSP"),
        ("http://127.0.0.1", "http://127.0.0.1.nip.io"),
    ],
)
def test_what_only_looks_like_it_is_not(prefix: str, url: str) -> None:
    assert not UrlPrefix.parse(prefix).covers(FetchUrl.parse(url))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ca.example",
        "file:///etc",
        "ldap://ca.example",
        "http://user@ca.example",
        "http://ca.example/a?b",
        "http://ca.example/a%2fb",
        "http://ca.example/a/../b",
        "http://ca.example//a",
        "http://ca.example/#a",
    ],
)
def test_what_is_no_plain_prefix_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|fetched|prefix"):
        UrlPrefix.parse(text)


def test_urls_that_nothing_can_be_fetched_from_are_passed_over() -> None:
    texts = ["ldap://x/", "http://a.example/c", "http://a b", "\x00", "file:///etc/passwd", "https://b.example"]
    assert [url.text for url in fetchable(texts)] == ["http://a.example/c", "https://b.example"]
