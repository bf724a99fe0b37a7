"""A URL is what a policy may name for a CRL, or a sentence for its author; a CRL from it is one of the entry's CAs."""

from typing import Any

import pytest
from cryptography import x509

from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.certificate_urls import crl_urls
from policies.peer.crl_source import CrlSource, CrlUrls
from policies.peer.errors import CrlError
from policies.peer.fetch_url import FetchUrl, UrlPrefix
from policies.peer.limits import MAX_FETCH_URL_CHARS
from tests.peer.forge import raw_extension

ROOT = Authority.root("mesh root")
SOURCE = CrlSource(FetchUrl.parse("http://crl.example/m.crl"), False, (certificate_from_der(ROOT.issued.der),))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("http://crl.example", ("http", "crl.example", 80, "/")),
        ("https://CRL.example/a/b.crl?x=1", ("https", "crl.example", 443, "/a/b.crl?x=1")),
        ("http://[fd00::1]:8080/m", ("http", "fd00::1", 8080, "/m")),
    ],
)
def test_a_url_is_taken_apart(text: str, parts: tuple[object, ...]) -> None:
    url = FetchUrl.parse(text)
    assert (url.scheme, url.host, url.port, url.target) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "file:///etc/m.crl",
        "ftp://crl.example/m",
        "ldap://crl.example/m",
        "crl.example/m",
        "http://",
        "http:///m",
        "http://user@crl.example/m",
        "http://crl.example/m#part",
        "http://crl.example:0/m",
        "http://crl.example:65536/m",
        "http://crl.example/a b",
        "http://crl.example/a\r\nHost: x",
        "http://crl.example\\@evil.example/",
        "http://crl.exämple/m",
        "http://[::1/m",
        "http://crl.example/" + "a" * MAX_FETCH_URL_CHARS,
    ],
)
def test_what_is_no_plain_http_url_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|fetched"):
        FetchUrl.parse(text)


def test_a_crl_of_a_ca_of_the_entry_is_accepted() -> None:
    assert SOURCE.verified(ROOT.crl([7]))[1].serials == {7}


@pytest.mark.parametrize("data", [b"", b"\x30", Authority.root("mesh root").crl(), Authority.root("other").crl()])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(CrlError):
        SOURCE.verified(data)


# CRLs that certificates name.


def named(*points: x509.DistributionPoint) -> list[str]:
    leaf = ROOT.issue(dns=["a.example"], extra=[(x509.CRLDistributionPoints(points), False)])
    urls = CrlUrls((UrlPrefix.parse("http://crl.example/m/"), UrlPrefix.parse("https://other.example")))
    return [url.text for url in urls.named_by(certificate_from_der(leaf.der))]


def point(*urls: str, **parts: Any) -> x509.DistributionPoint:
    names = [x509.UniformResourceIdentifier(url) for url in urls]
    return x509.DistributionPoint(names, None, parts.get("reasons"), parts.get("crl_issuer"))


def test_a_crl_is_named_by_a_leaf_only_under_a_prefix() -> None:
    assert named(point("http://crl.example/m/1.crl", "ldap://crl.example/m"), point("https://other.example/2")) == [
        "http://crl.example/m/1.crl",
        "https://other.example/2",
    ]
    assert named(point("http://crl.example.evil/m/1.crl", "http://crl.example/n", "http://crl.example/m/../n")) == []


def test_a_point_for_some_reasons_or_of_another_issuer_names_no_complete_crl() -> None:
    other = [x509.DirectoryName(x509.Name.from_rfc4514_string("CN=other"))]
    assert named(point("http://crl.example/m/1", reasons=frozenset({x509.ReasonFlags.key_compromise}))) == []
    assert named(point("http://crl.example/m/1", crl_issuer=other)) == []


@pytest.mark.parametrize("value", [b"", b"\x05\x00", b"\x30\x80", b"\x30\x03\x02\x01\x01"])
def test_points_that_cannot_be_read_name_nothing(value: bytes) -> None:
    leaf = ROOT.issue(dns=["a.example"], extra=[raw_extension("2.5.29.31", value)])
    assert crl_urls(certificate_from_der(leaf.der)) == ()
