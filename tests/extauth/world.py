"""A small world for the adapter's tests: one mesh, its callers, a policy, and questions as Envoy asks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache

from cryptography.hazmat.primitives.hashes import SHA256

from extauth.grpc_check import GrpcCheck
from extauth.http_app import HttpCheck
from extauth.http_request import HttpReader
from extauth.wire.messages import (
    Address,
    AttributeContext,
    CheckRequest,
    CheckResponse,
    HeaderMap,
    HeaderValue,
    Pipe,
    SocketAddress,
)
from pki.authority import Authority, Issued
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.language.live_sources import LiveSources
from policies.language.load import load_policy
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource
from policies.peer.ocsp_answers import NO_ANSWERS, OcspAnswers
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.decision_log import DecisionLog
from runtime.hops import NO_HOPS, TrustedHops
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics
from tests.support.percent import percent_encoded

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
POLICY = """
version: 1
trust:
  mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}
zones:
  office: [10.0.0.0/8]
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
routes:
  invoices: {hosts: [invoices.example], methods: [GET], paths: ["/v1/**"]}
  health: {paths: [/healthz]}
  office-only: {paths: [/office]}
  beta: {paths: [/beta], headers: {x-ring: [beta]}}
  ledger: {grpc: [acme.Ledger/Post]}
  files: {paths: ["/tenants/{tenant}/**"]}
rules:
  - {id: billing-reads, allow: billing, to: invoices}
  - {id: probes, allow: unauthenticated, to: health}
  - {id: office, allow: billing, from: office, to: office-only}
  - {id: beta, allow: billing, to: beta}
  - {id: posts, allow: billing, to: ledger}
  - {id: own-files, allow: tenant, to: files, set_headers: {x-tenant: "{tenant}"}}
"""


@dataclass(frozen=True)
class Files:
    """Surroundings in memory."""

    content: Mapping[str, bytes]

    def read(self, path: str) -> bytes:
        try:
            return self.content[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def folder(self, path: str) -> None:
        return None

    def fetched(self, source: CrlSource) -> bytes | None:
        """Nothing is fetched."""
        return None

    def bundle(self, source: BundleSource) -> bytes | None:
        """Nothing is asked."""
        return b""

    def timezone(self, name: str) -> tzinfo:
        return UTC


@cache
def mesh() -> Authority:
    return Authority.root("mesh root")


@cache
def issuing() -> Authority:
    return mesh().intermediate("mesh issuing")


@cache
def billing() -> Issued:
    return mesh().issue(uri=[BILLING])


@cache
def billing_by_issuing() -> Issued:
    return issuing().issue(uri=[BILLING])


@cache
def tenant(name: str) -> Issued:
    return mesh().issue(uri=[f"spiffe://acme.internal/tenant/{name}"])


def policy_of(text: str, answers: OcspAnswers = NO_ANSWERS) -> PolicySet:
    loaded = load_policy({"policy.yaml": text.encode()}, Files({"root.pem": mesh().pem}), live=LiveSources(answers))
    assert loaded.policy is not None, [str(problem) for problem in loaded.problems]
    return loaded.policy


@cache
def policy() -> PolicySet:
    return policy_of(POLICY)


@dataclass
class Service:
    """The adapter over a policy, without sockets."""

    policy: PolicySet | None = field(default_factory=policy)
    hops: TrustedHops = NO_HOPS
    observe: bool = False
    seen_headers: frozenset[str] = frozenset()
    log: DecisionLog | None = None

    def __post_init__(self) -> None:
        self.reader = PresentedReader()
        self.judge = Judge(FixedPolicy(self.policy), Metrics(), self.log, Enforcement.EXTAUTH, observe=self.observe)
        self.checks = Checks(self.judge, self.reader)

    @property
    def grpc(self) -> GrpcCheck:
        return GrpcCheck(self.checks, self.reader, self.hops)

    @property
    def http(self) -> HttpCheck:
        return HttpCheck(self.checks, HttpReader(self.reader, self.hops, self.seen_headers))

    def answer(self, question: CheckRequest | bytes) -> CheckResponse:
        message = question if isinstance(question, bytes) else question.SerializeToString()
        return CheckResponse.FromString(self.grpc.answer(message))


def question(
    method: str = "GET",
    path: str = "/v1/invoices",
    host: str = "invoices.example",
    *,
    issued: Issued | None = None,
    certificate: str | None = None,
    principal: str | None = None,
    headers: Mapping[str, str] | None = None,
    raw_headers: tuple[tuple[str, bytes], ...] | None = None,
    source: Address | None = None,
    sni: str | None = None,
) -> CheckRequest:
    """A CheckRequest as Envoy sends it; `raw_headers` as with encode_raw_headers."""
    if certificate is None:
        certificate = "" if issued is None else percent_encoded(issued.pem)
    if principal is None:
        principal = "" if issued is None else BILLING
    pseudo = {":method": method, ":path": path, ":authority": host}
    http = AttributeContext.HttpRequest(method=method, path=path, host=host)
    if raw_headers is None:
        http.headers.update(pseudo | dict(headers or {}))
    else:
        raw = tuple((name, value.encode()) for name, value in pseudo.items()) + raw_headers
        values = [HeaderValue(key=name, raw_value=value) for name, value in raw]
        http.header_map.CopyFrom(HeaderMap(headers=values))
    attributes = AttributeContext(
        source=AttributeContext.Peer(address=source or ip("192.0.2.7"), principal=principal, certificate=certificate),
        request=AttributeContext.Request(http=http),
    )
    if sni is not None:
        attributes.tls_session.CopyFrom(AttributeContext.TLSSession(sni=sni))
    return CheckRequest(attributes=attributes)


def ip(address: str) -> Address:
    return Address(socket_address=SocketAddress(address=address, port_value=4242))


def pipe(path: str) -> Address:
    return Address(pipe=Pipe(path=path))


def xfcc(issued: Issued, *, chain: bytes | None = None) -> str:
    """XFCC as Envoy writes it with SANITIZE_SET for a TLS peer."""
    digest = issued.certificate.fingerprint(SHA256()).hex()
    chain = issued.chain_pem if chain is None else chain
    return (
        f'Hash={digest};Cert="{percent_encoded(issued.pem)}";Chain="{percent_encoded(chain)}";Subject="";URI={BILLING}'
    )
