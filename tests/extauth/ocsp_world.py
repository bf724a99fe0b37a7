"""The adapter's world with a responder: whoever is to be let in must be called good by it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.ocsp import OCSPCertStatus

from pki.authority import Issued
from policies.engine.policy_set import PolicySet
from runtime.metrics import Metrics
from runtime.ocsp_client import OcspClient
from tests.extauth.world import POLICY, Service, mesh, policy_of
from tests.support.ocsp import GOOD, fresh
from tests.support.ocsp_server import OcspServer, ocsp_server

ENTRY = "spiffe_trust_domain: acme.internal"


def ocsp_policy(url: str, revocation: str = "require") -> str:
    """The policy of the world, which asks the responder at `url`."""
    return POLICY.replace(ENTRY, f"{ENTRY}, ocsp: {{url: '{url}', allow_private: true}}, revocation: {revocation}")


@dataclass
class OcspWorld:
    """`statuses`: of certificates that are not good, by serial number."""

    server: OcspServer
    client: OcspClient
    policy: PolicySet
    service: Service
    statuses: dict[int, OCSPCertStatus]
    seconds: float = 3600

    def answer(self, request: bytes) -> bytes:
        """As an honest responder."""
        serial = ocsp.load_der_ocsp_request(request).serial_number
        leaf = Issued(_numbered(serial), mesh().issued.key)
        return fresh(leaf, mesh(), self.seconds, status=self.statuses.get(serial, GOOD))


def _numbered(serial: int) -> x509.Certificate:
    """Some certificate of the mesh with this number: an answer names nothing else of it."""
    return mesh().issue(dns=["numbered.example"], serial=serial).certificate


@contextmanager
def ocsp_world(revocation: str = "require") -> Iterator[OcspWorld]:
    """All of it until the end of the block."""
    with ocsp_server() as server:
        client = OcspClient(Metrics(), lambda: 0.0)
        policy = policy_of(ocsp_policy(server.url, revocation), client)
        client.on_change(policy.forget)
        world = OcspWorld(server, client, policy, Service(policy), {})
        server.answer = world.answer
        try:
            yield world
        finally:
            client.stop()
