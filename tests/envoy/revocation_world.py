"""A mesh with a CRL, behind a real Envoy: who is who, and the files that revoke."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from prometheus_client.parser import text_string_to_metric_families

from peergate.demo.client import Credentials
from peergate.demo.service import Status
from pki.authority import Authority, Issued
from policies.language.load import Loaded
from runtime.address import UnixAddress
from runtime.envoy.admin import UnixConnection
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource
from tests.envoy.callers import Caller, Told
from tests.support.extauth_process import ExtauthProcess

POLICY = """\
version: 1
trust:
  mesh:
    anchors: [pki/mesh.pem]
    spiffe_trust_domain: acme.internal
    crls: [pki/mesh.crl]
    revocation: REVOCATION
rules:
  - {id: open, allow: authenticated, to: {paths: ["/v1/**"]}}
"""
#: Seconds within which a change of a file must be in force.
IN_FORCE_SECONDS = 2.0


@dataclass
class RevocationWorld:
    """`folder` holds the policy folder and the clients' files. CRL numbers only ever go up."""

    folder: Path
    authority: Authority = field(default_factory=lambda: Authority.root("mesh"))
    number: int = 0

    def __post_init__(self) -> None:
        (self.policy / "pki").mkdir(parents=True)
        (self.policy / "pki/mesh.pem").write_bytes(self.authority.pem)
        self.write_policy("require")
        replace_file(self.crl_file, self.crl())

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    @property
    def crl_file(self) -> Path:
        return self.policy / "pki/mesh.crl"

    def write_policy(self, revocation: str, more: str = "") -> None:
        replace_file(self.policy / "policy.yaml", (POLICY.replace("REVOCATION", revocation) + more).encode())

    def client(self, name: str) -> tuple[Issued, Credentials]:
        """A new certificate of the mesh, and its files."""
        issued = self.authority.issue(uri=[f"spiffe://acme.internal/{name}"])
        return issued, written(self.folder, name, issued)

    def crl(self, *revoked: Issued, this_update: datetime | None = None, next_update: datetime | None = None) -> bytes:
        """The next CRL of the mesh."""
        self.number += 1
        listed: list[x509.Certificate | int] = [issued.certificate for issued in revoked]
        return self.authority.crl(listed, number=self.number, this_update=this_update, next_update=next_update)

    def load(self) -> Loaded:
        """The policy on disk, compiled."""
        return loaded_from_reading(PolicySource(str(self.policy)).reading())


def written(folder: Path, name: str, issued: Issued) -> Credentials:
    """The files of a client."""
    credentials = Credentials(folder / f"{name}.pem", folder / f"{name}.key")
    credentials.chain.write_bytes(issued.chain_pem)
    credentials.key.write_bytes(issued.key_pem)
    return credentials


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place in one step, as deployments do."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)


def write_in_place(path: Path, content: bytes) -> None:
    """Overwrite a file, as `cp` does: for a moment it is empty, or half of it is there."""
    path.write_bytes(content)


def this_second() -> datetime:
    """A CRL has no finer dates."""
    return datetime.now(UTC).replace(microsecond=0)


def seconds_until_refused(callers: Mapping[str, Caller], since: float, path: str = "/v1/invoices") -> dict[str, float]:
    """Ask all of them in turn until each was refused once and all are in one round after that.

    Seconds from `since` (monotonic clock) to the first refusal of each. Whoever was refused stays refused.
    """
    refused: dict[str, float] = {}
    while True:
        complete = len(refused) == len(callers)
        for name, caller in callers.items():
            told = caller.ask(path)
            if told.status == 200:
                assert name not in refused, f"{name} was let in again"
            else:
                refused.setdefault(name, time.monotonic() - since)
        if complete:
            return {name: refused[name] for name in callers}
        assert time.monotonic() - since < 5 * IN_FORCE_SECONDS, f"never refused: {callers.keys() - refused.keys()}"


def told_to_all(callers: Mapping[str, Caller]) -> dict[str, Told]:
    return {name: caller.ask() for name, caller in callers.items()}


def metric(world: RevocationWorld, name: str, **labels: str) -> float:
    """The sum of the samples of `name` that have these labels, by the running service."""
    connection = UnixConnection(UnixAddress(str(world.folder / "ops.sock")))
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def in_force(service: ExtauthProcess, world: RevocationWorld) -> Status:
    """Wait until what is on disk is what decides."""
    policy = world.load().policy
    assert policy is not None
    return service.wait_for(lambda status: status["generation"] == policy.generation and not status["problems"])
