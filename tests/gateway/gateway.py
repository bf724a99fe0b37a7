"""A gateway in this process over files that a test changes: policy, anchors, CRL, certificate of the listener."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.server.live_contexts import LiveContexts
from gateway.server.server import GatewayServer
from pki.authority import Authority, Issued
from policies.engine.record import Enforcement
from runtime.judge import Judge
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.policy_source import PolicySource
from tests.gateway.server.world import ANYWHERE, mesh

POLICY = """\
version: 1
trust:
  mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal, crls: [mesh.crl], revocation: require}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules:
  - {id: open, allow: billing, to: {paths: ["/**"]}}
"""


@dataclass
class Files:
    """What is on disk. Everything is replaced in one step."""

    folder: Path
    revoked: list[int] = field(default_factory=list)
    number: int = 0

    def write(self, name: str, content: bytes) -> None:
        new = self.folder / f".{name}"
        new.write_bytes(content)
        new.replace(self.folder / name)

    def policy(self, text: str) -> None:
        self.write("policy.yaml", text.encode())

    def anchors(self, *authorities: Authority) -> None:
        self.write("root.pem", b"".join(authority.pem for authority in authorities))

    def crl(self, *serials: int) -> None:
        self.number += 1
        self.revoked.extend(serials)
        self.write("mesh.crl", mesh().crl(self.revoked, number=self.number))

    def served(self, issued: Issued) -> None:
        """The key first: between the two the files do not fit, and the last good ones stay."""
        self.write("served.key", issued.key_pem)
        self.write("served.pem", issued.chain_pem)


def server_certificate() -> Issued:
    return mesh().issue(dns=["localhost"], ip=["127.0.0.1"], server=True)


def files_in(folder: Path) -> Files:
    files = Files(folder)
    files.anchors(mesh())
    files.crl()
    files.policy(POLICY)
    files.served(server_certificate())
    return files


@contextmanager
def gateway(files: Files, app: Any) -> Iterator[tuple[GatewayServer, LivePolicy]]:
    """Serve `app` behind the policy until the block ends."""
    metrics = Metrics()
    live = LivePolicy(PolicySource(str(files.folder / "policy.yaml")), metrics)
    live.start()
    tls = TlsFiles(str(files.folder / "served.pem"), str(files.folder / "served.key"), flag_prefix="--")
    contexts = LiveContexts(LiveTls(tls), live)
    live.on_change(contexts.renew)
    authorizer = Authorizer(Judge(live, metrics, None, Enforcement.GATEWAY))
    server = GatewayServer(
        AuthorizationMiddleware(app, authorizer), listener_from_address(ANYWHERE), lambda: contexts.current
    )
    server.start()
    contexts.start()
    try:
        yield server, live
    finally:
        contexts.stop()
        server.stop(1)
        live.stop()
