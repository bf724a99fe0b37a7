"""Law 7: a hop is trusted by its address and, where that is asked for, by its own certificate; nobody else is."""

from datetime import UTC, datetime, timedelta
from time import time

import pytest

from gateway.hops import FrontHops
from pki.authority import Authority, Issued
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, presented_from_pem
from policies.peer.presented import PresentedCertificate as Certificate
from runtime.errors import ConfigurationError, UntrustedHopError
from tests.extauth.world import mesh, policy

EDGE = "spiffe://acme.internal/ns/edge/sa/nginx"
NAMED = FrontHops.parse([f"10.0.0.0/8,spiffe={EDGE}"])
INSIDE = ("10.1.2.3", 4242)


def shown(issued: Issued) -> Certificate:
    return presented_from_pem(issued.pem.decode())


def is_trusted(hops: FrontHops, source: tuple[str, int] | None, peer: object = NO_CERTIFICATE) -> bool:
    try:
        hops.require(source, peer, policy(), time())  # type: ignore[arg-type]
    except UntrustedHopError:
        return False
    return True


@pytest.mark.parametrize(
    ("texts", "source", "trusted"),
    [
        (["10.0.0.0/8"], INSIDE, True),
        (["10.0.0.0/8"], ("::ffff:10.1.2.3", 1), True),
        (["10.0.0.0/8"], ("11.0.0.1", 1), False),
        (["10.0.0.0/8"], None, False),
        (["unix"], None, True),
        (["unix"], INSIDE, False),
        (["2001:db8::/32", "unix"], ("2001:db8::1", 1), True),
        ([], INSIDE, False),
        ([], None, False),
    ],
)
def test_an_address_is_a_hop_if_it_is_named(texts: list[str], source: tuple[str, int] | None, trusted: bool) -> None:
    assert is_trusted(FrontHops.parse(texts), source) is trusted


def test_a_named_hop_needs_its_certificate_at_its_address() -> None:
    edge = shown(mesh().issue(uri=[EDGE]))
    assert is_trusted(NAMED, INSIDE, edge)
    assert not is_trusted(NAMED, ("11.0.0.1", 1), edge)
    assert not is_trusted(NAMED, None, edge)


def test_a_named_hop_without_that_certificate_is_nobody() -> None:
    now = datetime.now(UTC)
    ended = mesh().issue(uri=[EDGE], not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))
    others = [
        NO_CERTIFICATE,
        MalformedCertificate("nonsense"),
        shown(mesh().issue(uri=["spiffe://acme.internal/ns/edge/sa/other"])),
        shown(mesh().issue(uri=[f"{EDGE}/more"])),
        shown(mesh().issue(dns=["nginx.example"])),
        shown(Authority.root("stranger").issue(uri=[EDGE])),
        shown(ended),
    ]
    assert not any(is_trusted(NAMED, INSIDE, peer) for peer in others)


def test_without_a_policy_no_hop_has_a_name() -> None:
    with pytest.raises(UntrustedHopError):
        NAMED.require(INSIDE, shown(mesh().issue(uri=[EDGE])), None, time())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write a CIDR"),
        ("10.0.0.1/8", "host bits set"),
        ("0.0.0.0/0", "trusts everybody"),
        ("10.0.0.0/8,", "spiffe=spiffe://DOMAIN/PATH"),
        ("10.0.0.0/8,spiffe=", "spiffe://"),
        ("10.0.0.0/8,spiffe=https://a", "spiffe://"),
        ("10.0.0.0/8,spiffe=spiffe://A/b", "may hold only"),
        ("10.0.0.0/8,cn=a", "spiffe=spiffe://DOMAIN/PATH"),
        ("10.0.0.0/8,spiffe=spiffe://a/b,spiffe=spiffe://a/c", "may hold only"),
        ("Unix", "write a CIDR"),
    ],
)
def test_a_mistake_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        FrontHops.parse([text])


def test_everybody_may_be_a_hop_only_by_name() -> None:
    hops = FrontHops.parse([f"0.0.0.0/0,spiffe={EDGE}", f"unix,spiffe={EDGE}"])
    edge = shown(mesh().issue(uri=[EDGE]))
    assert hops.are_all_named
    assert is_trusted(hops, ("192.0.2.1", 1), edge)
    assert is_trusted(hops, None, edge)
    assert not is_trusted(hops, None)
