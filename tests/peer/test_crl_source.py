"""A URL is what a policy may name for a CRL, or a sentence for its author; a CRL from it is one of the entry's CAs."""

import pytest

from pki.authority import Authority
from policies.peer.certificate import certificate_from_der
from policies.peer.crl_source import CrlSource
from policies.peer.errors import CrlError
from policies.peer.fetch_url import FetchUrl
from policies.peer.limits import MAX_FETCH_URL_CHARS

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
