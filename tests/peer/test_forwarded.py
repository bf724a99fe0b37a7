"""Certificates in XFCC, and what of it may go on to the upstream."""

import pytest

from pki.authority import Authority, Issued
from policies.peer.forwarded import is_sole_element, presented_from_xfcc, xfcc_chain
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from tests.peer.envoy_xfcc import Written, written_by_envoy
from tests.peer.forge import NOW, parsed, percent_encoded, presented

ROOT = Authority.root("Root", now=NOW)
ISSUER = ROOT.intermediate("Issuer")
LEAF = ISSUER.issue(uri=["spiffe://td/ns/a"], dns=["a.example"], subject="CN=x,O=Acme")
ADMIN = ISSUER.issue(uri=["spiffe://td/ns/admin"])


def element(issued: Issued, *, names: str | None = None, chain: bool = True) -> str:
    """One element as Envoy writes it in text; `names`: its URI and DNS pairs where they are not those of LEAF."""
    said = ";URI=spiffe://td/ns/a;DNS=a.example" if names is None else names
    chained = f';Chain="{percent_encoded(issued.chain_pem)}"' if chain else ""
    sha256 = parsed(issued).sha256.hex()
    return (
        f'By=spiffe://td/envoy;Hash={sha256};Cert="{percent_encoded(issued.pem)}"{chained};Subject="CN=x,O=Acme"{said}'
    )


def refusal(text: str) -> str:
    found = presented_from_xfcc(text)
    assert isinstance(found, MalformedCertificate)
    return found.problem


def test_cert_and_chain_give_leaf_and_intermediates() -> None:
    assert presented_from_xfcc(element(LEAF)) == presented(LEAF)


@pytest.mark.parametrize(
    "case",
    [*written_by_envoy(certificate="plain", mode="SANITIZE_SET"), *written_by_envoy(certificate="nosan")],
    ids=str,
)
def test_what_envoy_writes_is_a_presented_certificate(case: Written) -> None:
    found = presented_from_xfcc(case.written)
    assert isinstance(found, PresentedCertificate)
    assert len(found.intermediates) == 1


def test_the_last_element_is_the_peer() -> None:
    found = presented_from_xfcc(f"{element(ADMIN, names='')},{element(LEAF)}")
    assert isinstance(found, PresentedCertificate)
    assert found.leaf == parsed(LEAF)


def test_an_element_without_cert_tells_what_to_set() -> None:
    assert "cert: true" in refusal(f"By=spiffe://td/e;Hash={'ab' * 32};URI=spiffe://td/ns/a")
    assert "cert: true" in refusal(f"{element(LEAF)},By=spiffe://td/e;URI=spiffe://td/ns/admin")


def test_a_hash_that_is_not_of_the_cert_is_refused() -> None:
    text = element(LEAF).replace(parsed(LEAF).sha256.hex(), parsed(ADMIN).sha256.hex())
    assert "Hash is not" in refusal(text)
    assert "Hash is not" in refusal(f"{text},{element(ADMIN, names='')}")


def test_names_in_the_header_count_for_nothing() -> None:
    found = presented_from_xfcc(element(LEAF, names=";URI=spiffe://td/ns/admin"))
    assert isinstance(found, PresentedCertificate)
    assert found.leaf.identity.uri == ("spiffe://td/ns/a",)


@pytest.mark.parametrize("text", ["", "junk", "Cert=", "Cert=junk", 'Cert="%2D"', "[]", '[{"cert": "junk"}]'])
def test_what_cannot_be_read_is_malformed_and_never_absent(text: str) -> None:
    assert refusal(text)


def test_a_chain_of_another_leaf_is_ignored() -> None:
    text = f'{element(LEAF, chain=False)};Chain="{percent_encoded(ADMIN.chain_pem)}"'
    found = presented_from_xfcc(text)
    assert isinstance(found, PresentedCertificate)
    assert found.intermediates == ()


@pytest.mark.parametrize(
    "name",
    [
        "spiffe://td/low;URI=spiffe://td/admin",
        f"spiffe://td/low,{element(ADMIN, names='')}",
        'spiffe://td/"',
        "spiffe://td/a\\",
    ],
)
def test_a_san_with_a_delimiter_is_refused_in_text(name: str) -> None:
    hostile = ISSUER.issue(uri=["spiffe://td/low", name], subject="CN=x,O=Acme")
    assert refusal(element(hostile, names=f";URI=spiffe://td/low;URI={name}"))


def test_a_dns_san_cannot_smuggle_the_certificate_of_another() -> None:
    hostile = ISSUER.issue(dns=[f"a,{element(ADMIN, names='')}"], subject="CN=x,O=Acme")
    text = element(hostile, names=f";DNS=a,{element(ADMIN, names='')}")
    assert "delimiter" in refusal(text)


@pytest.mark.parametrize(
    "case",
    [
        *written_by_envoy(certificate="inject"),
        *written_by_envoy(certificate="quote"),
        *written_by_envoy(certificate="backslash"),
    ],
    ids=str,
)
def test_hostile_sans_are_refused_as_envoy_writes_them_in_text_and_read_in_json(case: Written) -> None:
    found = presented_from_xfcc(case.written)
    assert isinstance(found, PresentedCertificate if case.form == "JSON" else MalformedCertificate)


def test_the_chain_of_the_last_element_is_a_source_for_the_grpc_adapter() -> None:
    assert xfcc_chain(f"By=a,{element(LEAF)}") == LEAF.chain_pem.decode()
    assert xfcc_chain(element(LEAF, chain=False)) == ""


@pytest.mark.parametrize("text", ["", "junk", 'By="', element(LEAF) + ";Hash=00"])
def test_an_unreadable_value_has_no_chain(text: str) -> None:
    assert xfcc_chain(text) == ""


@pytest.mark.parametrize(
    "case",
    [*written_by_envoy(certificate="plain", mode="SANITIZE_SET"), *written_by_envoy(certificate="nosan")],
    ids=str,
)
def test_law_7_the_element_of_the_calling_envoy_for_the_judged_certificate_may_pass(case: Written) -> None:
    found = presented_from_xfcc(case.written)
    assert isinstance(found, PresentedCertificate)
    assert is_sole_element(case.written, found.leaf)


def test_law_7_a_hash_alone_may_speak_for_the_certificate() -> None:
    text = f"By=spiffe://td/e;Hash={parsed(LEAF).sha256.hex()};URI=spiffe://td/ns/a"
    assert is_sole_element(text, parsed(LEAF))
    assert not is_sole_element(text, parsed(ADMIN))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        "By=spiffe://td/envoy;URI=spiffe://td/ns/a",
        element(ADMIN, names=""),
        f"{element(LEAF)},{element(LEAF)}",
        f"By=spiffe://td/first,{element(LEAF)}",
        f"{element(LEAF)};URI=spiffe://td/ns/admin",
        f"{element(LEAF)};DNS=admin.example",
        element(LEAF).replace("CN=x,O=Acme", "CN=admin,O=Acme"),
        element(LEAF).replace("CN=x,O=Acme", "not a name"),
        element(LEAF, chain=False) + f';Chain="{percent_encoded(ADMIN.chain_pem)}"',
        f'Hash={parsed(LEAF).sha256.hex()};Chain="{percent_encoded(ADMIN.chain_pem)}"',
        f'Hash={parsed(LEAF).sha256.hex()};Cert="{percent_encoded(ADMIN.pem)}"',
    ],
)
def test_law_7_anything_else_does_not_pass(text: str) -> None:
    assert not is_sole_element(text, parsed(LEAF))


def test_law_7_a_text_element_of_a_certificate_with_delimiters_does_not_pass() -> None:
    hostile = ISSUER.issue(uri=["spiffe://td/low;URI=spiffe://td/admin"])
    text = f"Hash={parsed(hostile).sha256.hex()};URI=spiffe://td/low;URI=spiffe://td/admin"
    assert not is_sole_element(text, parsed(hostile))
    assert not is_sole_element(f"Hash={parsed(hostile).sha256.hex()}", parsed(hostile))
