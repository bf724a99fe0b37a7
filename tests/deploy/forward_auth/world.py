"""The real proxies with the files of deploy/, whom they ask, and clients of every kind."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from peergate.demo.upstream import Received
from pki.authority import Authority, Issued
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from runtime.address import Address, TcpAddress, UnixAddress
from runtime.policy_source import PolicySource
from tests.support.deployed_proxies import Place, ProxyFront, caddy, deployed, haproxy, nginx, traefik
from tests.support.local_forward_auth import LocalForwardAuth

POLICY = """\
version: 1
trust:
  mesh:
    anchors: [mesh.pem]
    spiffe_trust_domain: acme.internal
    crls: [mesh.crl]
    revocation: if-available
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
rules:
  - {id: open, allow: billing, to: {paths: ["/v1/**"]}}
  - {id: health, allow: unauthenticated, to: {paths: [/healthz]}}
  - {id: named, allow: billing, to: {paths: [/named]}, when: {sni: h.example}}
"""
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
CONFIGURE: dict[Proxy, Callable[[Place], list[str]]] = {
    Proxy.NGINX: nginx,
    Proxy.HAPROXY: haproxy,
    Proxy.CADDY: caddy,
    Proxy.TRAEFIK: traefik,
}
#: What a denial may look like where the proxy answers by itself.
DENIED = {400, 403, 404, 405, 414, 421, 500, 502, 503}


@dataclass
class Setting:
    """A proxy that runs, whom it asks, and clients of every kind."""

    kind: Proxy
    asked: LocalForwardAuth
    front: ProxyFront
    clients: dict[str, Credentials]

    @property
    def received(self) -> list[Received]:
        return self.front.upstream.received

    def get(
        self, client: str | None, target: bytes = b"/v1/a", *headers: tuple[str, bytes], host: bytes = b"h.example"
    ) -> Answer:
        return self.sent(client, request_bytes("GET", target, [("Host", host), *headers, ("Connection", b"close")]))

    def connected(self, client: str) -> ssl.SSLSocket:
        """A connection for several requests."""
        self.forget()
        raw = socket.create_connection(self.front.address, 10)
        return client_context(self.front.server_ca, self.clients[client]).wrap_socket(raw, server_hostname="h.example")

    def forget(self) -> None:
        """What was received, judged and refused so far."""
        self.received.clear()
        self.asked.problems.clear()
        self.asked.judged.clear()

    def sent(self, client: str | None, request: bytes, sni: str | None = "h.example") -> Answer:
        self.forget()
        context = client_context(self.front.server_ca, self.clients[client] if client else None)
        return call(self.front.address, context, request, sni=sni)


def credentials(folder: Path) -> tuple[dict[str, Credentials], PolicySet]:
    now = datetime.now(UTC)
    mesh, stranger = Authority.root("mesh"), Authority.root("stranger")
    issued: dict[str, Issued] = {
        "billing": mesh.issue(uri=[BILLING]),
        "other": mesh.issue(uri=["spiffe://acme.internal/ns/prod/sa/other"]),
        "revoked": mesh.issue(uri=[BILLING]),
        "expired": mesh.issue(uri=[BILLING], not_before=now - timedelta(days=2), not_after=now - timedelta(days=1)),
        "stranger": stranger.issue(uri=[BILLING]),
        "below": mesh.intermediate("issuing").issue(uri=[BILLING]),
        "huge": mesh.issue(uri=[BILLING], dns=[f"{number:03}.{'x' * 60}.example" for number in range(300)]),
        "big": mesh.issue(uri=[BILLING], dns=[f"{number:03}.{'x' * 60}.example" for number in range(50)]),
    }
    (folder / "mesh.pem").write_bytes(mesh.pem)
    (folder / "mesh.crl").write_bytes(mesh.crl([issued["revoked"].certificate.serial_number]))
    (folder / "policy.yaml").write_text(POLICY)
    found = {}
    for name, one in issued.items():
        found[name] = Credentials(folder / f"{name}.crt", folder / f"{name}.key")
        found[name].chain.write_bytes(one.chain_pem)
        found[name].key.write_bytes(one.key_pem)
    reading = PolicySource(str(folder / "policy.yaml")).reading()
    loaded = load_policy(reading.files, reading)
    assert loaded.policy is not None, loaded.problems
    return found, loaded.policy


def address_in(folder: Path, kind: Proxy) -> Address:
    """Where a proxy of this kind asks: Traefik cannot ask a Unix socket."""
    return TcpAddress("127.0.0.1", 0) if kind is Proxy.TRAEFIK else UnixAddress(str(folder / "asked.sock"))


@contextmanager
def running(kind: Proxy, folder: Path) -> Iterator[Setting]:
    """A proxy and whom it asks, until the block ends."""
    (folder / "pki").mkdir()
    clients, policy = credentials(folder / "pki")
    with (
        LocalForwardAuth(address_in(folder, kind), kind) as asked,
        deployed(CONFIGURE[kind], folder, asked.address) as front,
    ):
        asked.current = policy
        yield Setting(kind, asked, front, clients)
