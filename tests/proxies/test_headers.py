"""What the real nginx, HAProxy and Caddy write into the header, read by the parser of each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pki.authority import Authority, Issued
from policies.peer.caddy import PLACEHOLDER, presented_from_caddy
from policies.peer.haproxy import presented_from_haproxy
from policies.peer.nginx import presented_from_nginx
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate
from tests.proxies.front_proxies import FrontProxy, Site, caddy, haproxy, nginx, running
from tests.proxies.recorder import Recorder, recording

CERTIFICATE, CHAIN = "X-Client-Cert", "X-Client-Chain"
SPOOFED = {CERTIFICATE: "spoofed", CHAIN: "spoofed"}

ROOT = Authority.root("Elsewhere")
ISSUER = ROOT.intermediate("Issuer")
LEAF = ISSUER.issue(uri=["spiffe://td/ns/a"])


@dataclass(frozen=True, slots=True)
class Kind:
    """A proxy, the parser of its header, and what it is known to write for no certificate."""

    configure: Callable[[Site], list[str]]
    parse: Callable[[Recorder], PresentedCertificate | NoCertificate]
    none: Sequence[str]


KINDS = {
    "nginx": Kind(nginx, lambda seen: presented_from_nginx(seen.last(CERTIFICATE)), ()),
    "haproxy": Kind(haproxy, lambda seen: presented_from_haproxy(seen.last(CERTIFICATE), seen.last(CHAIN)), ("",)),
    "caddy": Kind(caddy, lambda seen: presented_from_caddy(seen.last(CERTIFICATE)), (PLACEHOLDER,)),
}


@dataclass(frozen=True, slots=True)
class Front:
    """A running proxy of a kind, and the upstream that records what it sends."""

    kind: Kind
    proxy: FrontProxy
    upstream: Recorder

    def presented(self, client: Issued | None, headers: dict[str, str] | None = None) -> object:
        """What the upstream is told by a request."""
        assert self.proxy.request(client, headers) == 204
        return self.kind.parse(self.upstream)


@pytest.fixture(scope="module", params=KINDS)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    kind = KINDS[request.param]
    folder: Path = tmp_path_factory.mktemp(request.param)
    with recording() as upstream, running(kind.configure, folder, upstream.port) as proxy:
        yield Front(kind, proxy, upstream)


@pytest.mark.parametrize("headers", [{}, SPOOFED])
def test_the_certificate_of_the_connection_arrives_though_the_proxy_did_not_verify_it(
    front: Front, headers: dict[str, str]
) -> None:
    found = front.presented(LEAF, headers)
    assert isinstance(found, PresentedCertificate)
    assert found.leaf.der == LEAF.der


@pytest.mark.parametrize("headers", [{}, SPOOFED])
def test_law_7_without_a_certificate_what_the_client_writes_is_not_read(front: Front, headers: dict[str, str]) -> None:
    assert front.presented(None, headers) is NO_CERTIFICATE
    assert front.upstream.last(CERTIFICATE) == tuple(front.kind.none)


def test_the_chain_arrives_from_haproxy_without_the_leaf(front: Front) -> None:
    found = front.presented(LEAF)
    assert isinstance(found, PresentedCertificate)
    expected = (ISSUER.issued.der,) if front.kind is KINDS["haproxy"] else ()
    assert found.intermediates == expected
