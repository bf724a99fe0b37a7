"""URLs of revocation, in the running service: the policy's are fetched, a certificate's never."""

import signal
import socket
import ssl
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID

from peergate.demo.client import client_context, request_bytes
from pki.authority import Issued
from runtime.address import TcpAddress
from runtime.envoy.ext_authz import Authorization
from tests.extauth.service_process import Running, eventually, running
from tests.extauth.test_envoy import careless_envoy, credentials
from tests.extauth.test_serve import reason_of
from tests.extauth.world import BILLING, POLICY, billing, mesh, question
from tests.runtime.crl_server import CrlServer, counting_listener, crl_server
from tests.support.front import Front

ENTRY = "spiffe_trust_domain: acme.internal"


def policy(server: CrlServer) -> str:
    return POLICY.replace(ENTRY, f"{ENTRY}, crls: [{{url: '{server.url}', allow_private: true}}], revocation: require")


def reasons(service: Running) -> set[str]:
    """Of several questions: the connections reach all workers."""
    return {reason_of(service.answer(question(issued=billing()))) for _ in range(6)}


def test_a_crl_that_changes_at_its_url_revokes_in_every_worker_and_an_older_one_is_told(tmp_path: Path) -> None:
    with crl_server() as server:
        server.body = mesh().crl(number=1)
        with running(tmp_path, "--workers", "2", policy=policy(server)) as service:
            eventually(lambda: reasons(service) == {"allowed_by_rule"})
            server.body = mesh().crl([billing().certificate], number=2)
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda: reasons(service) == {"certificate_revoked"}, 4)
            server.body = mesh().crl(number=1)
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda: "older than the last good one" in str(service.readiness()[1]["notices"]))
            assert reasons(service) == {"certificate_revoked"}


class Opened:
    """A TLS connection to Envoy that stays open."""

    def __init__(self, front: Front, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        self.stack = ExitStack()
        plain = self.stack.enter_context(socket.create_connection(front.address, 10))
        self.tls = self.stack.enter_context(context.wrap_socket(plain, server_hostname="h.example", session=session))

    def status(self) -> int:
        """Of the answer to one more request."""
        self.tls.sendall(request_bytes("GET", b"/v1/a", [("Host", b"invoices.example")]))
        response = HTTPResponse(self.tls)
        response.begin()
        response.read()
        return response.status


def test_through_envoy_it_holds_on_open_fresh_and_resumed_connections_within_two_seconds(
    tmp_path: Path, envoy_binary: Path
) -> None:
    (tmp_path / "envoy").mkdir()
    with crl_server() as server, ExitStack() as stack:
        server.body = mesh().crl(number=1)
        service = stack.enter_context(running(tmp_path, policy=policy(server)))
        eventually(lambda: reasons(service) == {"allowed_by_rule"})
        host, _, port = service.listen.rpartition(":")
        authorization = Authorization(TcpAddress(host, int(port)), timeout=5)
        front = stack.enter_context(careless_envoy(envoy_binary, authorization, tmp_path / "envoy"))
        context = client_context(front.server_ca, credentials(tmp_path, "billing"))
        first = Opened(front, context)
        stack.enter_context(first.stack)
        assert first.status() == 200
        server.body = mesh().crl([billing().certificate], number=2)
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: first.status() == 403, 2)
        fresh, resumed = Opened(front, context), Opened(front, context, first.tls.session)
        stack.enter_context(fresh.stack)
        stack.enter_context(resumed.stack)
        assert resumed.tls.session_reused
        assert (fresh.status(), resumed.status()) == (403, 403)


def test_a_server_that_is_not_there_is_told_and_require_refuses(tmp_path: Path) -> None:
    with crl_server() as server:
        server.status = 503
        with running(tmp_path, policy=policy(server)) as service:
            assert reasons(service) == {"revocation_unknown"}
            eventually(lambda: "has never been fetched: the server answered 503" in str(service.readiness()[1]))


def test_no_url_of_a_certificate_is_ever_connected_to(tmp_path: Path) -> None:
    with counting_listener() as (port, connections), running(tmp_path) as service:
        for base in (f"http://127.0.0.1:{port}", f"http://169.254.169.254:{port}", "file:///etc/passwd"):
            answer = service.answer(question(issued=pointing(base)))
            assert reason_of(answer) == "allowed_by_rule"
        assert not connections


def test_a_crl_that_a_certificate_names_is_fetched_under_a_prefix_and_revokes(tmp_path: Path) -> None:
    with crl_server() as server:
        prefix = f"http://127.0.0.1:{server.port}/m.crl"
        crls = f"crls: [{{certificate_urls: ['{prefix}'], allow_private: true}}], revocation: require"
        leaf = pointing(server.url)
        server.body = mesh().crl(number=1)
        with running(tmp_path, policy=POLICY.replace(ENTRY, f"{ENTRY}, {crls}")) as service:

            def reason(issued: Issued) -> str:
                return reason_of(service.answer(question(issued=issued)))

            assert reason(leaf) == "revocation_unknown"
            eventually(lambda: reason(leaf) == "allowed_by_rule", 10)
            # The list speaks for every leaf of its issuer, whatever they name.
            assert reason(billing()) == "allowed_by_rule"
            server.body = mesh().crl([leaf.certificate], number=2)
            service.process.send_signal(signal.SIGHUP)
            eventually(lambda: reason(leaf) == "certificate_revoked", 4)
            assert reason(billing()) == "allowed_by_rule"


def test_crls_that_certificates_name_elsewhere_make_no_connection(tmp_path: Path) -> None:
    with counting_listener() as (port, connections):
        prefixes = f"['http://127.0.0.1:{port}/crl', 'http://169.254.169.254:{port}', 'http://crl.example']"
        crls = f"crls: [{{certificate_urls: {prefixes}, allow_private: true}}], revocation: require"
        elsewhere = (
            f"http://127.0.0.1:{port}/crls/m.crl",
            f"http://127.0.0.1:{port}/crl/../m.crl",
            f"http://127.0.0.1:{port}/crl?m",
            f"http://localhost:{port}/crl",
            f"http://crl.example@127.0.0.1:{port}/crl",
            f"http://169.254.169.254:{port}/m.crl",
            "file:///etc/passwd",
        )
        with running(tmp_path, policy=POLICY.replace(ENTRY, f"{ENTRY}, {crls}")) as service:
            for url in elsewhere:
                assert reason_of(service.answer(question(issued=pointing(url)))) == "revocation_unknown"
            # What lies under a prefix is tried, and may still not be connected to.
            eventually(lambda: "169.254.169.254" in str(service.readiness()[1]["notices"]), 10)
            assert "no address of 169.254.169.254 may be connected to" in str(service.readiness()[1]["notices"])
        assert not connections


def pointing(base: str) -> Issued:
    """A certificate of billing whose CRL, OCSP responder and issuer are to be found at `base`."""
    key = ec.generate_private_key(ec.SECP256R1())
    place = x509.UniformResourceIdentifier(base)
    access = AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(BILLING)]), True),
        (x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)]), False),
        (x509.FreshestCRL([x509.DistributionPoint([place], None, None, None)]), False),
        (x509.AuthorityInformationAccess([x509.AccessDescription(method, place) for method in access]), False),
    )
    model = billing().certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(model.issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(model.not_valid_before_utc)
        .not_valid_after(model.not_valid_after_utc)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(mesh().issued.key, hashes.SHA256()), key)
