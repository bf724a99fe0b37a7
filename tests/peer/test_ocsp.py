"""The question names its certificate as responders expect; of two answers, the one that may take the other's place."""

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import OCSPNonce, load_der_x509_certificate
from cryptography.x509 import ocsp as other
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.authority import Authority
from policies.peer.certificate_urls import ocsp_urls
from policies.peer.fetch_url import FetchUrl, UrlPrefix
from policies.peer.limits import MAX_CERTIFICATE_URLS
from policies.peer.ocsp import OcspAnswer, OcspMethod, OcspStatus
from policies.peer.ocsp_responders import OcspResponders
from tests.extauth.test_crl_urls import pointing
from tests.peer.forge import parsed, raw_extension
from tests.support.ocsp import question

MESH = Authority.root("mesh")
LEAF = MESH.issue(dns=["a.example"])
ANSWER = OcspAnswer(OcspStatus.GOOD, 100, 100, 200)


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA512()])
def test_a_certid_is_the_one_that_cryptography_makes(algorithm: hashes.HashAlgorithm) -> None:
    asked = other.OCSPRequestBuilder().add_certificate(
        load_der_x509_certificate(LEAF.der), MESH.issued.certificate, algorithm
    )
    built = asked.build()
    assert question(LEAF, MESH).hashes(algorithm) == (built.issuer_name_hash, built.issuer_key_hash)


def test_a_request_holds_the_certificate_and_the_nonce() -> None:
    asked = other.load_der_ocsp_request(question(LEAF, MESH).request(b"n" * 32))
    assert asked.serial_number == LEAF.certificate.serial_number
    assert asked.extensions.get_extension_for_class(OCSPNonce).value.nonce == b"n" * 32
    assert not list(other.load_der_ocsp_request(question(LEAF, MESH).request(None)).extensions)


@pytest.mark.parametrize(
    ("known", "found", "replaces"),
    [
        ({}, {}, True),
        ({}, {"this_update": 101}, True),
        ({}, {"this_update": 99}, False),
        ({}, {"this_update": 99, "status": OcspStatus.UNKNOWN}, False),
        ({}, {"status": OcspStatus.UNKNOWN}, True),
        ({"status": OcspStatus.UNKNOWN}, {"this_update": 101}, True),
        ({}, {"status": OcspStatus.REVOKED}, True),
        ({}, {"status": OcspStatus.REVOKED, "this_update": 99}, False),
        ({}, {"status": OcspStatus.REVOKED, "final": True, "this_update": 99}, True),
        ({"status": OcspStatus.REVOKED}, {}, False),
        ({"status": OcspStatus.REVOKED}, {"this_update": 101}, True),
        ({"status": OcspStatus.REVOKED}, {"status": OcspStatus.UNKNOWN, "this_update": 101}, False),
        ({"status": OcspStatus.REVOKED, "final": True}, {"this_update": 101}, False),
        ({"status": OcspStatus.REVOKED, "final": True}, {"status": OcspStatus.UNKNOWN, "this_update": 101}, False),
    ],
)
def test_nothing_older_and_nothing_that_undoes_a_revocation_replaces(
    known: dict[str, object], found: dict[str, object], replaces: bool
) -> None:
    assert replace(ANSWER, **found).replaces(replace(ANSWER, **known)) is replaces  # type: ignore[arg-type]


# Who is asked.


def asked_at(base: str, *prefixes: str) -> str | None:
    responders = OcspResponders(None, tuple(map(UrlPrefix.parse, prefixes)), method=OcspMethod.GET)
    source = responders.source(parsed(pointing(base)))
    return None if source is None else source.url.text


def test_a_certificate_names_its_responder_only_under_a_prefix_of_the_policy() -> None:
    assert asked_at("http://ocsp.example/a", "http://x", "http://ocsp.example/") == "http://ocsp.example/a"
    assert asked_at("http://ocsp.example.evil/a", "http://ocsp.example/") is None
    assert asked_at("http://ocsp.example/a") is None
    assert asked_at("file:///etc/passwd", "http://ocsp.example/") is None


def test_the_responder_of_the_policy_is_asked_whatever_a_certificate_names() -> None:
    responders = OcspResponders(FetchUrl.parse("http://ocsp.acme"), clock_skew=3.0, nonce=True)
    source = responders.source(parsed(pointing("http://evil.example")))
    assert source is not None
    assert (source.url.text, source.nonce, source.clock_skew) == ("http://ocsp.acme", True, 3.0)


@pytest.mark.parametrize("value", [b"", b"\x05\x00", b"\x30\x80", b"\x30\x03\x02\x01\x01"])
def test_urls_that_cannot_be_read_are_none(value: bytes) -> None:
    leaf = MESH.issue(dns=["a.example"], extra=[raw_extension("1.3.6.1.5.5.7.1.1", value)])
    assert ocsp_urls(parsed(leaf)) == ()


def test_only_so_many_urls_are_looked_at() -> None:
    method = AuthorityInformationAccessOID.OCSP
    places = [x509.UniformResourceIdentifier(f"http://a{number}.example") for number in range(40)]
    access = x509.AuthorityInformationAccess([x509.AccessDescription(method, place) for place in places])
    assert len(ocsp_urls(parsed(MESH.issue(dns=["a.example"], extra=[(access, False)])))) == MAX_CERTIFICATE_URLS
