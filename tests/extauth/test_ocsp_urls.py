"""Responders that certificates name, in the running service: asked under a prefix of the policy, never elsewhere."""

import signal
import time
from pathlib import Path

import pytest

from pki.authority import Issued
from tests.extauth.ocsp_world import ENTRY, ocsp_policy, ocsp_world
from tests.extauth.service_process import Running, eventually, running
from tests.extauth.test_crl_urls import pointing
from tests.extauth.test_serve import reason_of
from tests.extauth.world import POLICY, billing, mesh, question
from tests.runtime.crl_server import counting_listener
from tests.support.ocsp import REVOKED, fresh
from tests.support.ocsp_server import ocsp_server


def policy(*prefixes: str, private: bool = True, revocation: str = "require") -> str:
    ocsp = f"{{certificate_urls: [{', '.join(f'{one!r}' for one in prefixes)}], allow_private: {str(private).lower()}}}"
    return POLICY.replace(ENTRY, f"{ENTRY}, ocsp: {ocsp}, revocation: {revocation}")


def reason(service: Running, issued: Issued) -> str:
    return reason_of(service.answer(question(issued=issued)))


def test_the_responder_of_a_certificate_is_asked_under_a_prefix(tmp_path: Path) -> None:
    with ocsp_server() as server, running(tmp_path, policy=policy(f"http://127.0.0.1:{server.port}/ocsp/")) as service:
        good, stolen = pointing(server.url), pointing(f"{server.url}/stolen")
        answers = {"POST": fresh(good, mesh())}
        server.answer = lambda request: answers["POST"]
        assert reason(service, good) == "allowed_by_rule"
        answers["POST"] = fresh(stolen, mesh(), status=REVOKED)
        assert reason(service, stolen) == "certificate_revoked"
        assert len(server.asked) == 2


@pytest.mark.parametrize("revocation", ["require", "if-available"])
def test_certificates_that_point_elsewhere_make_no_connection(tmp_path: Path, revocation: str) -> None:
    expected = "revocation_unknown" if revocation == "require" else "allowed_by_rule"
    with counting_listener() as (port, connections):
        prefixes = (f"http://127.0.0.1:{port}/ocsp", "http://ocsp.example", f"http://169.254.169.254:{port}")
        elsewhere = (
            f"http://127.0.0.1:{port}",
            f"http://127.0.0.1:{port}/ocsp-admin",
            f"http://127.0.0.1:{port}/ocsp/../admin",
            f"http://127.0.0.1:{port}/ocsp/%2e%2e/admin",
            f"http://127.0.0.1:{port}/ocsp?x",
            f"http://ocsp.example@127.0.0.1:{port}/",
            f"https://127.0.0.1:{port}/ocsp",
            f"http://localhost:{port}/ocsp",
            f"http://[::1]:{port}/ocsp",
            "file:///etc/passwd",
            f"ldap://127.0.0.1:{port}/ocsp",
            # Under a prefix, and still never connected to.
            f"http://169.254.169.254:{port}/latest",
        )
        with running(tmp_path, policy=policy(*prefixes, revocation=revocation)) as service:
            for url in elsewhere:
                assert reason(service, pointing(url)) == expected, url
            time.sleep(0.3)
        assert not connections


def test_loopback_under_a_prefix_makes_no_connection_unless_the_policy_allows_private_addresses(tmp_path: Path) -> None:
    with counting_listener() as (port, connections):
        text = policy(f"http://127.0.0.1:{port}", f"http://localhost:{port}", private=False)
        with running(tmp_path, policy=text) as service:
            for host in ("127.0.0.1", "localhost"):
                assert reason(service, pointing(f"http://{host}:{port}/")) == "revocation_unknown"
            eventually(lambda: "no address of" in str(service.readiness()[1]["notices"]), 5)
        assert not connections


def test_a_redirect_makes_no_connection(tmp_path: Path) -> None:
    with counting_listener() as (port, connections), ocsp_server() as server:
        server.status, server.headers = 302, {"Location": f"http://127.0.0.1:{port}/"}
        with running(tmp_path, policy=policy(f"http://127.0.0.1:{server.port}")) as service:
            assert reason(service, pointing(server.url)) == "revocation_unknown"
            eventually(lambda: "redirects are not followed" in str(service.readiness()[1]["notices"]), 5)
        assert not connections


def test_an_answer_that_changes_revokes_in_every_worker(tmp_path: Path) -> None:
    with (
        ocsp_world() as world,
        running(tmp_path, "--workers", "2", policy=ocsp_policy(world.server.url)) as service,
    ):

        def reasons() -> set[str]:
            return {reason(service, billing()) for _ in range(6)}

        assert reasons() == {"allowed_by_rule"}
        world.statuses[billing().certificate.serial_number] = REVOKED
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: reasons() == {"certificate_revoked"}, 4)


def test_without_a_sighup_a_revocation_is_in_force_when_half_of_the_answers_life_is_over(tmp_path: Path) -> None:
    with ocsp_world() as world, running(tmp_path, policy=ocsp_policy(world.server.url)) as service:
        world.seconds = 3
        assert reason(service, billing()) == "allowed_by_rule"
        world.statuses[billing().certificate.serial_number] = REVOKED
        eventually(lambda: reason(service, billing()) == "certificate_revoked", 2)
