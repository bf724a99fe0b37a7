"""Policies for the tests of authoring: compiled from text, with a CA in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from policies.peer.bundle_source import BundleSource
from policies.peer.crl_source import CrlSource

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MESH = Authority.root("mesh root", now=NOW)
PARTNERS = Authority.root("partner root", now=NOW)

POLICY = """
version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}
  partners: {anchors: [partners.pem]}
zones:
  pci: [10.20.0.0/16]
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  partner: {trust: partners, dns: "*.partner.example"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
routes:
  invoices: {hosts: [invoices.prod.svc], methods: [GET], paths: ["/v1/invoices/**"]}
  ledger: {hosts: [ledger.prod.svc], grpc: [acme.Ledger/Post]}
  files: {hosts: [files.prod.svc], paths: ["/tenants/{tenant}/**"]}
rules:
  - {id: billing-reads, allow: billing, to: invoices, description: Billing reads invoices., labels: {team: money}}
  - {id: billing-posts, allow: billing, to: ledger}
  - {id: pci-only, deny: anyone, not_from: pci, to: ledger}
  - {id: own-files, allow: tenant, to: files, set_headers: {x-tenant: "{tenant}"}}
  - {id: closing, deny: billing, to: invoices, mode: shadow, when: {after: 2026-06-01T00:00:00Z}}
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Surroundings without a disk."""

    files: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.files[path]

    def folder(self, path: str) -> tuple[str, ...] | None:
        return None

    def fetched(self, source: CrlSource) -> bytes | None:
        """Nothing is fetched."""
        return None

    def bundle(self, source: BundleSource) -> bytes | None:
        """Nothing is asked."""
        return b""

    def timezone(self, name: str) -> tzinfo:
        return ZoneInfo(name)


SURROUNDINGS = Memory({"mesh.pem": MESH.pem, "partners.pem": PARTNERS.pem})


def policy_from_text(text: str = POLICY, surroundings: Memory = SURROUNDINGS) -> PolicySet:
    """The compiled policy; a text with problems fails the test with all of them."""
    loaded = load_policy({"policy.yaml": text.encode()}, surroundings)
    if loaded.policy is None:
        raise AssertionError("\n".join(map(str, loaded.problems)))
    return loaded.policy
