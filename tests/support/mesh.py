"""A small mesh: one authority, one caller, one policy on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from runtime.policy_source import PolicySource
from tests.support.front import Front

NO_HEADERS: Mapping[str, str] = {}
POLICY = """\
version: 1
trust: {mesh: {anchors: [pki/mesh.pem], spiffe_trust_domain: acme.internal}}
identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}
rules:
  - {id: open, allow: billing, to: {paths: ["/v1/**"]}}
"""


@dataclass(frozen=True)
class Mesh:
    """`policy` is a folder with one file; `billing` may call `/v1/**`."""

    folder: Path
    policy: Path
    billing: Credentials

    def write(self, text: str) -> None:
        """Replace the policy in one step, as editors and ConfigMaps do."""
        replacement = self.policy / ".policy.yaml"
        replacement.write_text(text)
        replacement.replace(self.policy / "policy.yaml")

    def loaded(self) -> PolicySet:
        """The policy on disk, compiled."""
        reading = PolicySource(str(self.policy)).reading()
        loaded = load_policy(reading.files, reading)
        assert loaded.policy is not None, [str(problem) for problem in (*reading.problems, *loaded.problems)]
        return loaded.policy

    def get(self, front: Front, target: bytes = b"/v1/invoices", headers: Mapping[str, str] = NO_HEADERS) -> Answer:
        """Call through Envoy as billing."""
        sent = [("Host", "h.example"), *headers.items(), ("Connection", "close")]
        request = request_bytes("GET", target, [(name, value.encode("latin-1")) for name, value in sent])
        return call(front.address, client_context(front.server_ca, self.billing), request, sni=None)


def mesh_in(folder: Path) -> Mesh:
    """Issue everything into `folder`."""
    authority = Authority.root("mesh")
    billing = authority.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"])
    policy = folder / "policy"
    (policy / "pki").mkdir(parents=True)
    (policy / "pki" / "mesh.pem").write_bytes(authority.pem)
    (folder / "billing.pem").write_bytes(billing.chain_pem)
    (folder / "billing.key").write_bytes(billing.key_pem)
    made = Mesh(folder, policy, Credentials(folder / "billing.pem", folder / "billing.key"))
    made.write(POLICY)
    return made
