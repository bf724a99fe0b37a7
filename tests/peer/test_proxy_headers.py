"""The parsers of other proxies' headers: what each reads, and that everything else is one error."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.peer.caddy import PLACEHOLDER, presented_from_caddy
from policies.peer.client_cert import presented_from_client_cert
from policies.peer.errors import CertificateError
from policies.peer.haproxy import presented_from_haproxy
from policies.peer.limits import MAX_HEADER_CHARS, MAX_INTERMEDIATES
from policies.peer.nginx import presented_from_nginx
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate
from policies.peer.traefik import presented_from_traefik
from tests.peer.forge import NOW, parsed, presented

Parser = Callable[[Sequence[str]], PresentedCertificate | NoCertificate]

ROOT = Authority.root("Root", now=NOW)
ISSUER = ROOT.intermediate("Issuer")
LEAF = ISSUER.issue(uri=["spiffe://td/ns/a"])
BASE64 = b64encode(LEAF.der).decode()
ISSUER_BASE64 = b64encode(ISSUER.issued.der).decode()

GOOD: dict[Parser, str] = {
    presented_from_client_cert: f":{BASE64}:",
    presented_from_nginx: quote(LEAF.pem, safe=""),
    presented_from_traefik: BASE64,
    presented_from_caddy: BASE64,
    presented_from_haproxy: BASE64,
}
parsers = pytest.mark.parametrize("parser", GOOD, ids=lambda parser: parser.__name__)


@parsers
def test_the_certificate_is_read(parser: Parser) -> None:
    found = parser([GOOD[parser]])
    assert isinstance(found, PresentedCertificate)
    assert (found.leaf, found.intermediates) == (parsed(LEAF), ())


@parsers
@pytest.mark.parametrize("values", [[], [""]])
def test_an_absent_or_empty_header_is_no_certificate(parser: Parser, values: list[str]) -> None:
    assert parser(values) is NO_CERTIFICATE


@parsers
def test_law_7_a_repeated_header_is_refused_even_if_one_is_empty(parser: Parser) -> None:
    for values in ([GOOD[parser]] * 2, [GOOD[parser], ""], ["", GOOD[parser]], ["", ""]):
        with pytest.raises(CertificateError, match="sent 2 times"):
            parser(values)


@parsers
@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: good[:-1],
        lambda good: f"{good} ",
        lambda good: f" {good}",
        lambda good: good + good,
        lambda good: good[: len(good) // 2],
        lambda good: f"{good},",
        lambda good: good.replace("%2B", "+").replace("%0A", "\n") + "\n",
        lambda good: good.lower(),
        lambda good: f"{good};a=b",
        lambda good: "é" + good,
        lambda good: "\udcff" + good,
        lambda good: good.replace("A", "A\0", 1),
        lambda _: " ",
        lambda _: "(null)",
        lambda _: "-",
        lambda _: "::",
        lambda _: ":",
        lambda _: "%",
        lambda _: "AAAA",
        lambda _: ":AAAA:",
        lambda _: b64encode(b"\x30\x00" * 20_000).decode(),
        lambda _: quote(LEAF.key_pem, safe=""),
        lambda _: quote(LEAF.chain_pem, safe=""),
        lambda _: LEAF.pem.decode(),
    ],
)
def test_whatever_else_is_written_is_one_error(parser: Parser, spoil: Callable[[str], str]) -> None:
    with pytest.raises(CertificateError):
        parser([spoil(GOOD[parser])])


@parsers
def test_a_huge_value_is_refused_before_it_is_decoded(parser: Parser) -> None:
    with pytest.raises(CertificateError, match="more than"):
        parser(["A" * (MAX_HEADER_CHARS + 1)])


@parsers
@given(text=st.text())
def test_every_text_is_read_or_refused(parser: Parser, text: str) -> None:
    try:
        assert parser([text]) is NO_CERTIFICATE
    except CertificateError:
        return
    assert text in ("", PLACEHOLDER)


def test_the_format_of_one_proxy_is_refused_by_the_others_unless_it_is_the_same() -> None:
    for parser in (presented_from_client_cert, presented_from_nginx):
        for other, value in GOOD.items():
            if other is not parser:
                with pytest.raises(CertificateError):
                    parser([value])


def test_base64_with_unused_bits_set_is_refused() -> None:
    with pytest.raises(CertificateError, match="one spelling"):
        presented_from_caddy(["MAB="])


def test_client_cert_chain_gives_the_intermediates() -> None:
    chain = f":{ISSUER_BASE64}:"
    assert presented_from_client_cert([f":{BASE64}:"], [chain]) == presented(LEAF)


@pytest.mark.parametrize(
    "chain", [",", ":AAAA", f":{ISSUER_BASE64}:,", f":{ISSUER_BASE64}::{ISSUER_BASE64}:", f":{ISSUER_BASE64}:;a"]
)
def test_a_malformed_client_cert_chain_is_refused(chain: str) -> None:
    with pytest.raises(CertificateError):
        presented_from_client_cert([f":{BASE64}:"], [chain])


def test_more_certificates_than_the_limit_are_refused() -> None:
    most = [ISSUER_BASE64] * MAX_INTERMEDIATES
    assert presented_from_client_cert([f":{BASE64}:"], [", ".join(f":{item}:" for item in most)])
    with pytest.raises(CertificateError):
        presented_from_client_cert([f":{BASE64}:"], [", ".join(f":{item}:" for item in [*most, ISSUER_BASE64])])
    with pytest.raises(CertificateError):
        presented_from_traefik([",".join([BASE64, *most, ISSUER_BASE64])])
    chain = b64encode(ISSUER.issued.der * (MAX_INTERMEDIATES + 1)).decode()
    with pytest.raises(CertificateError):
        presented_from_haproxy([BASE64], [chain])


@pytest.mark.parametrize("parser", [presented_from_client_cert, presented_from_haproxy])
@pytest.mark.parametrize("certificate", [[], [""]])
def test_a_chain_without_a_certificate_is_refused(
    parser: Callable[[Sequence[str], Sequence[str]], object], certificate: list[str]
) -> None:
    with pytest.raises(CertificateError, match="without"):
        parser(certificate, [ISSUER_BASE64])


@pytest.mark.parametrize("parser", [presented_from_client_cert, presented_from_haproxy])
def test_law_7_a_repeated_chain_is_refused(parser: Callable[[Sequence[str], Sequence[str]], object]) -> None:
    with pytest.raises(CertificateError, match="sent 2 times"):
        parser([BASE64], [ISSUER_BASE64, ISSUER_BASE64])


@pytest.mark.parametrize("write", [str, lambda text: quote(text, safe="")])
def test_traefik_lists_the_chain_after_the_leaf_bare_or_escaped(write: Callable[[str], str]) -> None:
    value = ",".join(map(write, (BASE64, ISSUER_BASE64)))
    assert presented_from_traefik([value]) == presented(LEAF)


def test_a_traefik_value_that_mixes_both_spellings_is_refused() -> None:
    bare = next(text for text in _base64_of_leaves() if "+" in text)
    for items in ((bare, quote(bare, safe="")), (quote(bare, safe=""), bare)):
        with pytest.raises(CertificateError):
            presented_from_traefik([",".join(items)])


def _base64_of_leaves() -> list[str]:
    return [b64encode(ISSUER.issue(uri=["spiffe://td/a"]).der).decode() for _ in range(8)]


@pytest.mark.parametrize("value", [",", f"{BASE64},", f",{BASE64}", f"{BASE64},,{BASE64}", f"{BASE64}, {BASE64}"])
def test_an_empty_or_padded_item_of_a_traefik_value_is_refused(value: str) -> None:
    with pytest.raises(CertificateError):
        presented_from_traefik([value])


def test_haproxy_writes_the_chain_as_one_piece() -> None:
    chain = b64encode(ISSUER.issued.der + ROOT.issued.der).decode()
    found = presented_from_haproxy([BASE64], [chain])
    assert isinstance(found, PresentedCertificate)
    assert found.intermediates == (ISSUER.issued.der, ROOT.issued.der)


@pytest.mark.parametrize("chain", [b"\x30\x05", b"\x02\x01\x00", ISSUER.issued.der + b"\x00", b"\x30\x80\x00\x00"])
def test_a_haproxy_chain_that_is_not_certificates_is_refused(chain: bytes) -> None:
    with pytest.raises(CertificateError):
        presented_from_haproxy([BASE64], [b64encode(chain).decode()])


def test_the_placeholder_that_caddy_leaves_is_no_certificate_and_is_so_for_caddy_only() -> None:
    assert presented_from_caddy([PLACEHOLDER]) is NO_CERTIFICATE
    for parser in GOOD:
        if parser is not presented_from_caddy:
            with pytest.raises(CertificateError):
                parser([PLACEHOLDER])
