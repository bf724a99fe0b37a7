"""deploy/istio through a real Envoy: what its README says of each file, and of what happens without it."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from pki.authority import Authority, Issued
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource
from tests.deploy.files import ISTIO, KUBERNETES, Manifest, document
from tests.deploy.istio_sidecar import sidecar
from tests.support.local_extauth import LocalExtauth

CHECKOUT = "spiffe://acme.internal/ns/prod/sa/checkout"
CERTIFICATE = "envoy-filter.yaml"
CHAIN = "peer-chain.yaml"
ORDER = request_bytes("POST", b"/v1/orders", [("Host", b"orders.prod.svc"), ("Content-Length", b"0")])
WRITTEN_RULES: Sequence[Manifest] = document(ISTIO / "protect" / "authorization-policy.yaml")["spec"]["rules"]


@dataclass(frozen=True)
class Sidecar:
    """A sidecar of a workload of namespace prod, and the mesh around it."""

    root: Authority
    address: tuple[str, int]
    folder: Path
    extauth: LocalExtauth

    def order(self, caller: Issued | None, request: bytes = ORDER) -> Answer:
        """Place an order as `caller`."""
        credentials = None
        if caller is not None:
            credentials = Credentials(self.folder / "caller.pem", self.folder / "caller.key")
            credentials.chain.write_bytes(caller.chain_pem)
            credentials.key.write_bytes(caller.key_pem)
        context = client_context(self.folder / "s.pem", credentials)
        context.verify_mode = ssl.CERT_NONE
        return call(self.address, context, request, sni=None)

    def workload(self, account: str = "checkout") -> Issued:
        """A certificate as istiod issues it to a workload of prod."""
        return self.root.issue(uri=[f"spiffe://acme.internal/ns/prod/sa/{account}"])


@contextmanager
def _sidecar(
    envoy_binary: Path,
    folder: Path,
    *envoy_filters: str,
    rules: Sequence[Manifest] = WRITTEN_RULES,
) -> Iterator[Sidecar]:
    """With the policy of deploy/kubernetes, whose cluster is this host, and the root of this mesh as its anchor."""
    root = Authority.root("mesh")
    policy = folder / "policy"
    (policy / "pki").mkdir(parents=True)
    (policy / "pki" / "mesh-root.pem").write_bytes(root.pem)
    text = (KUBERNETES / "policy" / "policy.yaml").read_text(encoding="utf-8")
    assert "10.0.0.0/8" in text
    (policy / "policy.yaml").write_text(text.replace("10.0.0.0/8", "127.0.0.0/8"), encoding="utf-8")
    loaded = loaded_from_reading(PolicySource(str(policy)).reading())
    with LocalExtauth(folder) as extauth:
        extauth.current = loaded.policy
        with sidecar(envoy_binary, extauth.grpc, root.pem, folder, rules=rules, envoy_filters=envoy_filters) as running:
            yield Sidecar(root, running.address, folder, extauth)


def test_with_the_certificate_the_policy_decides(envoy_binary: Path, tmp_path: Path) -> None:
    with _sidecar(envoy_binary, tmp_path, CERTIFICATE) as running:
        assert running.order(running.workload()).status == 200
        refused = running.order(running.workload("storefront"))
        assert (refused.status, refused.reason) == (403, "no_matching_rule")


def test_without_the_envoy_filter_every_caller_with_a_certificate_is_refused(
    envoy_binary: Path, tmp_path: Path
) -> None:
    with _sidecar(envoy_binary, tmp_path) as running:
        refused = running.order(running.workload())
        assert (refused.status, refused.reason) == (403, "certificate_malformed")


def test_a_name_that_the_caller_writes_itself_changes_nothing(envoy_binary: Path, tmp_path: Path) -> None:
    forged = b"Hash=" + b"0" * 64 + f";URI={CHECKOUT}".encode()
    request = ORDER.replace(b"\r\n\r\n", b"\r\nx-forwarded-client-cert: " + forged + b"\r\n\r\n")
    with _sidecar(envoy_binary, tmp_path, CERTIFICATE) as running:
        assert running.order(running.workload("storefront"), request).reason == "no_matching_rule"
        passed = running.order(running.workload(), request)
        assert passed.echoed().values("x-forwarded-client-cert") == []


def test_a_caller_below_an_intermediate_needs_the_chain(envoy_binary: Path, tmp_path: Path) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "with").mkdir()
    for folder, filters, status in (("without", [CERTIFICATE], 403), ("with", [CERTIFICATE, CHAIN], 200)):
        with _sidecar(envoy_binary, tmp_path / folder, *filters) as running:
            issued = running.root.intermediate("issuing").issue(uri=[CHECKOUT])
            assert running.order(issued).status == status


def test_plain_tls_without_a_certificate_ends_in_the_handshake(envoy_binary: Path, tmp_path: Path) -> None:
    with _sidecar(envoy_binary, tmp_path, CERTIFICATE) as running, pytest.raises(OSError):
        running.order(None)


def test_a_custom_policy_without_a_rule_asks_nobody(envoy_binary: Path, tmp_path: Path) -> None:
    with _sidecar(envoy_binary, tmp_path, CERTIFICATE, rules=[]) as running:
        assert running.order(running.workload("storefront")).status == 200


def test_while_peergate_has_no_policy_everything_is_refused(envoy_binary: Path, tmp_path: Path) -> None:
    with _sidecar(envoy_binary, tmp_path, CERTIFICATE) as running:
        running.extauth.current = None
        assert running.order(running.workload()).reason == "policy_unavailable"
