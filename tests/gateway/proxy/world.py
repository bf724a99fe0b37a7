"""The proxy behind the middleware in our TLS server, and a client that sends bytes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.proxy.upstream_tls import UpstreamTlsFiles
from gateway.server.server import GatewayServer
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.language.load import load_policy
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics
from tests.extauth.world import Files
from tests.gateway.server.world import Client, billing, mesh, serving

POLICY = """
version: 1
trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules:
  - {id: open, allow: billing, to: {paths: ["/v1/**"]}}
  - {id: tenant, allow: billing, to: {paths: ["/tenant"]}, set_headers: {x-tenant: acme}}
  - {id: ring, allow: billing, to: {paths: ["/ring"], headers: {x-ring: [beta]}}}
"""


@cache
def policy() -> PolicySet:
    loaded = load_policy({"policy.yaml": POLICY.encode()}, Files({"root.pem": mesh().pem}))
    assert loaded.policy is not None, [str(problem) for problem in loaded.problems]
    return loaded.policy


@contextmanager
def proxying(
    *upstreams: str, tls: UpstreamTlsFiles | None = None, live: Any = None, observe: bool = False, **settings: Any
) -> Iterator[GatewayServer]:
    """A gateway to these upstreams."""
    proxy = ReverseProxy([Destination.parse(text) for text in upstreams], tls, **settings)
    judge = Judge(live or FixedPolicy(policy()), Metrics(), None, Enforcement.GATEWAY, observe=observe)
    with serving(AuthorizationMiddleware(proxy, Authorizer(judge))) as server:
        yield server


def request(
    target: bytes = b"/v1/a",
    headers: Sequence[bytes] = (),
    *,
    method: bytes = b"GET",
    body: bytes = b"",
    close: bool = True,
) -> bytes:
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: h.example", *headers]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answered(server: GatewayServer, sent: bytes, client: Client | None = None) -> bytes:
    """All that comes back to billing."""
    return (client or Client(billing())).answer(server, sent)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0
