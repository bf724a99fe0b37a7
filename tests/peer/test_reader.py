"""The cached reader of received text."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pki.authority import Authority
from policies.peer import reader as module
from policies.peer.limits import MAX_HEADER_CHARS
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from tests.peer.forge import NOW, parsed, percent_encoded, presented

ROOT = Authority.root("Root", now=NOW)
ISSUER = ROOT.intermediate("Issuer")
LEAF = ISSUER.issue(uri=["spiffe://td/ns/a"])
OTHER = ISSUER.issue(uri=["spiffe://td/ns/b"])
PEM, CHAIN = percent_encoded(LEAF.pem), percent_encoded(LEAF.chain_pem)
XFCC = f'By=spiffe://td/e;Hash={parsed(LEAF).sha256.hex()};Cert="{PEM}";Chain="{CHAIN}";URI=spiffe://td/ns/a'


def test_a_percent_encoded_leaf_is_read() -> None:
    found = PresentedReader().from_percent_pem(PEM)
    assert isinstance(found, PresentedCertificate)
    assert (found.leaf, found.intermediates) == (parsed(LEAF), ())


def test_its_chain_gives_the_intermediates() -> None:
    assert PresentedReader().from_percent_pem(PEM, CHAIN) == presented(LEAF)
    assert PresentedReader().from_percent_pem(PEM, LEAF.chain_pem.decode()) == presented(LEAF)


@pytest.mark.parametrize(
    "chain", ["%", "junk", percent_encoded(OTHER.chain_pem), LEAF.chain_pem.decode() + "\n" * MAX_HEADER_CHARS]
)
def test_law_7_a_chain_that_is_not_of_the_leaf_is_ignored(chain: str) -> None:
    found = PresentedReader().from_percent_pem(PEM, chain)
    assert isinstance(found, PresentedCertificate)
    assert found.intermediates == ()


def test_law_7_several_pem_blocks_are_malformed() -> None:
    assert isinstance(PresentedReader().from_percent_pem(CHAIN), MalformedCertificate)


@pytest.mark.parametrize(
    "text", ["", "junk", "%", "%zz", "é", PEM + "%0A" * MAX_HEADER_CHARS, percent_encoded(LEAF.key_pem), PEM[:-30]]
)
def test_what_cannot_be_read_is_malformed_and_never_absent(text: str) -> None:
    reader = PresentedReader()
    for found in (reader.from_percent_pem(text), reader.from_envoy(text, XFCC), reader.from_xfcc(text)):
        assert isinstance(found, MalformedCertificate)
        assert found.problem


def test_equal_text_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PresentedReader()
    first = [reader.from_percent_pem(PEM, CHAIN), reader.from_envoy(PEM, XFCC), reader.from_xfcc(XFCC)]
    junk = reader.from_percent_pem("junk")
    monkeypatch.setattr(module, "presented_from_pem", None)
    monkeypatch.setattr(module, "presented_from_xfcc", None)
    assert [reader.from_percent_pem(PEM, CHAIN), reader.from_envoy(PEM, XFCC), reader.from_xfcc(XFCC)] == first
    assert reader.from_percent_pem("junk") is junk


def test_the_chain_of_xfcc_serves_the_certificate_that_envoy_sends_beside_it() -> None:
    reader = PresentedReader()
    assert reader.from_envoy(PEM, XFCC) == presented(LEAF)
    assert reader.from_envoy(PEM, "") == reader.from_percent_pem(PEM)
    assert reader.from_envoy(PEM, "junk") == reader.from_percent_pem(PEM)


def test_the_certificate_of_xfcc_never_replaces_the_one_that_envoy_sends_beside_it() -> None:
    found = PresentedReader().from_envoy(percent_encoded(OTHER.pem), XFCC)
    assert isinstance(found, PresentedCertificate)
    assert (found.leaf, found.intermediates) == (parsed(OTHER), ())


def test_xfcc_alone_gives_the_peer() -> None:
    assert PresentedReader().from_xfcc(XFCC) == presented(LEAF)


def test_law_7_xfcc_may_pass_for_the_judged_certificate_only() -> None:
    reader = PresentedReader()
    for _ in range(2):
        assert reader.xfcc_may_pass(XFCC, presented(LEAF))
        assert not reader.xfcc_may_pass(XFCC, presented(OTHER))
        assert not reader.xfcc_may_pass(f"By=a,{XFCC}", presented(LEAF))


def test_a_small_cache_forgets_and_stays_right() -> None:
    reader = PresentedReader(entries=2, chars=3 * 2 * len(PEM))
    for _ in range(3):
        for issued in (LEAF, OTHER):
            found = reader.from_percent_pem(percent_encoded(issued.pem))
            assert isinstance(found, PresentedCertificate)
            assert found.leaf == parsed(issued)
        assert isinstance(reader.from_percent_pem("junk"), MalformedCertificate)


def test_threads_may_share_it() -> None:
    reader = PresentedReader(entries=4)
    texts = [PEM, percent_encoded(OTHER.pem), "junk", "%"] * 50
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(reader.from_percent_pem, texts))
    assert [isinstance(item, PresentedCertificate) for item in found] == [True, True, False, False] * 50
