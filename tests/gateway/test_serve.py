"""The whole gateway as a program: one policy, one upstream, workers, and its end."""

import json
import signal
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.extauth.service_process import eventually
from tests.gateway.gateway import POLICY
from tests.gateway.server.test_handshake import stranger
from tests.gateway.server.world import Client, billing, caller, everything, mesh
from tests.gateway.service_process import Running, running

PARTLY = POLICY.replace('"/**"', '"/v1/**"')
DENIED = b"HTTP/1.1 403 "


def test_what_is_allowed_is_forwarded_and_what_is_not_is_denied_with_the_reason(tmp_path: Path) -> None:
    with running(tmp_path, policy=PARTLY) as gateway:
        assert gateway.answer(caller(), b"/v1/a%41?x=%2f&y").endswith(b"served")
        assert gateway.upstream.heads[0].startswith(b"GET /v1/a%41?x=%2f&y HTTP/1.1\r\n")
        denied = gateway.answer(caller(), b"/private")
        assert denied.startswith(DENIED)
        assert b"no_matching_rule" in denied
        assert gateway.answer(caller(), b"/v1/..%2fprivate").startswith(DENIED)
        assert len(gateway.upstream.heads) == 1
        records = [json.loads(line) for line in decisions(tmp_path, 3)]
    assert [record["effect"] for record in records] == ["allow", "deny", "deny"]
    assert {record["enforcement"] for record in records} == {"gateway"}
    assert records[0]["tls.client.server_name"] == "localhost"
    assert records[0]["source.ip"] == "127.0.0.1"


def decisions(folder: Path, count: int) -> list[str]:
    def lines() -> list[str]:
        return (folder / "decisions").read_text().splitlines()

    eventually(lambda: len(lines()) >= count)
    return lines()


def test_an_identity_that_the_client_claims_never_reaches_the_upstream(tmp_path: Path) -> None:
    """Law 7."""
    claims = b"x-peergate-identity: admin\r\nX-Forwarded-Client-Cert: URI=spiffe://evil\r\nclient-cert: :eA==:\r\n"
    with running(tmp_path) as gateway:
        assert gateway.answer(caller(), headers=claims).endswith(b"served")
        head = gateway.upstream.heads[0].lower()
    assert b"evil" not in head
    assert b": admin" not in head
    assert b":ea==:" not in head
    assert b"x-peergate-identity: billing" in head


def test_workers_share_the_port_and_end_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2") as gateway:
        assert len({worker["pid"] for worker in gateway.readiness()[1]["workers"]}) == 2
        for _ in range(20):
            assert gateway.answer(caller()).endswith(b"served")
        assert gateway.ended() == 0
    assert "Traceback" not in gateway.stderr.read_text()


def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new(tmp_path: Path) -> None:
    with running(tmp_path, "--drain-seconds", "5") as gateway, gateway.connected(caller()) as kept:
        sent = b"POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx"
        kept.sendall(sent)
        time.sleep(0.3)
        gateway.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError, match=r"."):
            gateway.answer(caller())
        kept.sendall(b"y")
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        assert gateway.process.wait(10) == 0


def test_without_a_good_policy_it_runs_is_not_ready_and_denies_everything(tmp_path: Path) -> None:
    """Law 4."""
    with running(tmp_path, policy="version: 1\nrules: nonsense\n", ready=False) as gateway:
        assert gateway.readiness()[0] == 503
        assert b"policy_unavailable" in gateway.answer(Client())
        gateway.files.policy(POLICY)
        eventually(lambda: gateway.readiness()[0] == 200)
        eventually(lambda: is_served(gateway))


def is_served(gateway: Running) -> bool:
    """The TLS context follows the policy within milliseconds."""
    try:
        return gateway.answer(caller()).endswith(b"served")
    except OSError:
        return False


def test_observe_permits_and_says_so_but_the_handshake_still_asks_for_a_certificate(tmp_path: Path) -> None:
    with running(tmp_path, "--observe", policy=PARTLY) as gateway:
        assert gateway.answer(caller(), b"/private").endswith(b"served")
        assert any("--observe" in notice for notice in gateway.readiness()[1]["notices"])
        with pytest.raises(ssl.SSLError):
            gateway.answer(Client())
        with gateway.connected(caller()) as connection:
            connection.sendall(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
            assert everything(connection).startswith(b"HTTP/1.1 400 ")


def test_a_failed_handshake_is_one_line_with_peer_and_cause(tmp_path: Path) -> None:
    with running(tmp_path) as gateway:
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            gateway.answer(Client(stranger()))
        eventually(lambda: "a handshake failed" in gateway.stderr.read_text())
        line = next(line for line in gateway.stderr.read_text().splitlines() if "a handshake failed" in line)
        with urllib.request.urlopen(f"http://{gateway.ops}/metrics", timeout=5) as response:
            counted = response.read().decode()
    assert 'peergate_handshakes_total{result="failure"} 1.0' in counted
    assert "peer=127.0.0.1:" in line
    assert "no CA of the policy issued it" in line


def test_an_open_request_whose_certificate_is_revoked_is_ended_within_five_seconds(tmp_path: Path) -> None:
    """Law 9."""
    with running(tmp_path) as gateway, gateway.connected(caller()) as connection:
        connection.sendall(b"GET /stall HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.5)
        gateway.files.crl(billing().certificate.serial_number)
        began = time.monotonic()
        answer = connection.recv(4096)
        assert time.monotonic() - began < 5
        assert answer == b"" or b"certificate_revoked" in answer


def test_curl_is_served_and_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(mesh().pem)
    (tmp_path / "c.pem").write_bytes(billing().chain_pem)
    (tmp_path / "c.key").write_bytes(billing().key_pem)
    with running(tmp_path) as gateway:
        base = ["curl", "-sS", "--cacert", "ca.pem", f"https://localhost:{gateway.port}/v1/a"]
        shown = [*base, "--cert", "c.pem", "--key", "c.key"]
        good = subprocess.run(shown, cwd=tmp_path, capture_output=True, check=False)
        assert good.stdout == b"served", good.stderr
        none = subprocess.run(base, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "certificate required" in none.stderr
