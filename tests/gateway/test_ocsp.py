"""OCSP in the gateway, over real TLS: the first request waits for its answer, and a revocation ends what is open."""

import signal
import time
from pathlib import Path

from cryptography.x509 import ocsp

from pki.authority import Issued
from tests.gateway.gateway import POLICY
from tests.gateway.server.world import billing, caller, mesh
from tests.gateway.service_process import running
from tests.support.ocsp import GOOD, REVOKED, fresh
from tests.support.ocsp_server import ocsp_server

#: Seconds within which an open request ends (law 9).
OPEN_SECONDS = 5.0


def test_a_revocation_ends_an_open_request_and_refuses_the_next(tmp_path: Path) -> None:
    revoked: set[int] = set()

    def answer(request: bytes) -> bytes:
        serial = ocsp.load_der_ocsp_request(request).serial_number
        leaf = Issued(mesh().issue(dns=["numbered.example"], serial=serial).certificate, mesh().issued.key)
        return fresh(leaf, mesh(), status=REVOKED if serial in revoked else GOOD)

    with ocsp_server() as server:
        server.answer = answer
        text = POLICY.replace("crls: [mesh.crl]", f"ocsp: {{url: '{server.url}', allow_private: true}}")
        with running(tmp_path, policy=text) as gateway, gateway.connected(caller()) as stalled:
            assert gateway.answer(caller()).endswith(b"served")
            stalled.sendall(b"GET /stall HTTP/1.1\r\nHost: a\r\n\r\n")
            revoked.add(billing().certificate.serial_number)
            time.sleep(0.2)
            gateway.process.send_signal(signal.SIGHUP)
            began = time.monotonic()
            stalled.settimeout(10)
            assert b"certificate_revoked" in stalled.recv(4096)
            assert time.monotonic() - began < OPEN_SECONDS
            assert b"certificate_revoked" in gateway.answer(caller())
