"""A small policy on disk and the callers that it knows, for tests of everything around the decision."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep, time

from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, Request
from policies.peer.presented import NO_CERTIFICATE, Presented, presented_from_der
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource

#: Inside the validity of every certificate of `ROOT`, and exact as a float.
NOW = 1_900_000_000.25

ROOT = Authority.root("mesh root")
BILLING = presented_from_der(ROOT.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"]).der)
STRANGER = presented_from_der(Authority.root("other").issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"]).der)

HEAD = """\
version: 1
trust:
  mesh: {anchors: [pki/mesh-root.pem], spiffe_trust_domain: acme.internal}
"""
RULES = """\
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
routes:
  invoices: {hosts: [invoices.prod.svc], methods: [GET], paths: [/v1/invoices]}
  open: {paths: [/open, /slow]}
rules:
  - {id: billing-reads, allow: billing, to: invoices, labels: {ticket: SEC-1}}
  - {id: anybody, allow: unauthenticated, to: open}
"""
POLICY = HEAD + RULES


def write_policy(folder: Path, text: str = POLICY) -> Path:
    """Write the policy and its trust anchor; returns the policy file."""
    (folder / "pki").mkdir(parents=True, exist_ok=True)
    (folder / "pki/mesh-root.pem").write_bytes(ROOT.pem)
    return replace_file(folder / "policy.yaml", text)


def replace_file(path: Path, text: str) -> Path:
    """Put a file in place in one step, as editors and deployments do."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, encoding="utf-8")
    return fresh.replace(path)


def policy_set(folder: Path, text: str = POLICY) -> PolicySet:
    """The policy, loaded."""
    write_policy(folder, text)
    loaded = loaded_from_reading(PolicySource(str(folder)).reading())
    assert loaded.policy is not None, loaded.problems
    return loaded.policy


def request(peer: Presented = NO_CERTIFICATE, path: str = "/open", *, host: str = "invoices.prod.svc") -> Request:
    """A GET."""
    return Request(peer, "GET", path, host, EMPTY_HEADERS, None, None, None, time())


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds that another thread or process brings about; fails if it never does."""
    deadline = monotonic() + seconds
    while not holds():
        assert monotonic() < deadline, "it never held"
        sleep(0.02)
