"""A throw-away PKI: an authority that the policy trusts, one that it does not, a certificate for every mishap."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from peergate.demo.client import Credentials
from pki.authority import Authority, Issued

#: Hosts that the demo's server certificate names.
HOSTS = ("invoices.prod.svc", "acme.files.example")

_BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
_AUDITOR = "spiffe://acme.internal/ns/prod/sa/auditor"


@dataclass(frozen=True, slots=True)
class DemoPki:
    """Where everything lies. `folder` holds the anchors and the CRLs that the policy names, as `pki/…`."""

    folder: Path
    server: Credentials
    server_ca: Path
    callers: dict[str, Credentials]


def demo_pki(folder: Path) -> DemoPki:
    """Issue everything into `folder`, which must be empty. Keys are readable by their owner only."""
    mesh, rogue = Authority.root("Demo Mesh CA"), Authority.root("Rogue CA")
    issuing = mesh.intermediate("Demo Mesh Issuing CA")
    yesterday = mesh.now - timedelta(days=1)
    revoked = issuing.issue(uri=[_BILLING])
    callers = {
        "billing": issuing.issue(uri=[_BILLING]),
        "tenant acme": issuing.issue(uri=["spiffe://acme.internal/tenant/acme"]),
        "auditor": issuing.issue(uri=[_AUDITOR], subject="OU=Audit,O=Acme"),
        "expired": issuing.issue(uri=[_BILLING], not_before=yesterday - timedelta(days=1), not_after=yesterday),
        "revoked": revoked,
        "foreign CA": rogue.issue(uri=[_BILLING]),
        "two names": issuing.issue(uri=[_BILLING, _AUDITOR]),
    }
    (folder / "mesh-root.pem").write_bytes(mesh.pem)
    (folder / "mesh-issuing.pem").write_bytes(issuing.pem)
    (folder / "issuing.crl").write_bytes(issuing.crl([revoked.certificate]))
    (folder / "mesh.crl").write_bytes(mesh.crl())
    server = mesh.issue(dns=[*HOSTS, "localhost"], ip=["127.0.0.1"], server=True, client=False)
    return DemoPki(
        folder,
        server=_written(server, folder, "server"),
        server_ca=folder / "mesh-root.pem",
        callers={name: _written(issued, folder, name.replace(" ", "-").lower()) for name, issued in callers.items()},
    )


def _written(issued: Issued, folder: Path, name: str) -> Credentials:
    credentials = Credentials(folder / f"{name}.pem", folder / f"{name}.key")
    credentials.chain.write_bytes(issued.chain_pem)
    credentials.key.touch(mode=0o600)
    credentials.key.write_bytes(issued.key_pem)
    return credentials
