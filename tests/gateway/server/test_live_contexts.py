"""What the next connection gets follows the certificate and the trust in force; who is connected stays."""

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.server.live_contexts import LiveContexts
from gateway.server.server import GatewayServer
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from runtime.listener_tls import LiveTls, TlsFiles
from tests.extauth.world import policy
from tests.gateway.gateway import POLICY, files_in, gateway, server_certificate
from tests.gateway.server.world import Client, Recorder, asked, billing, caller, eventually


def status(client: Client, server: GatewayServer) -> bytes:
    return client.answer(server)[9:12]


def fails(client: Client, server: GatewayServer) -> bool:
    try:
        client.answer(server)
    except ssl.SSLError:
        return True
    return False


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_stay(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    new = server_certificate()
    with gateway(files, Recorder()) as (server, _), caller().connected(server) as before:
        files.served(new)

        def shown() -> bytes | None:
            with caller().connected(server) as connection:
                return connection.getpeercert(binary_form=True)

        assert eventually(lambda: shown() == new.der)
        assert asked(before)


def test_a_bad_certificate_keeps_the_last_good_one(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    with gateway(files, Recorder()) as (server, _):
        files.write("served.pem", b"junk")
        assert not eventually(lambda: fails(caller(), server), 2.5)


def test_a_ca_that_is_taken_away_refuses_in_the_handshake_and_on_open_connections(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    other = Authority.root("Other root")
    crl = POLICY.replace(", crls: [mesh.crl], revocation: require", "")
    files.policy(crl)
    with gateway(files, Recorder()) as (server, _), caller().connected(server) as before:
        assert asked(before)
        files.anchors(other)
        assert eventually(lambda: fails(caller(), server))
        before.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"certificate_untrusted" in before.recv(4096)


def test_a_revoked_certificate_is_answered_with_403_and_the_reason(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    with gateway(files, Recorder()) as (server, _), caller().connected(server) as before:
        assert asked(before)
        files.crl(billing().certificate.serial_number)
        assert eventually(lambda: status(caller(), server) == b"403")
        before.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"certificate_revoked" in before.recv(4096)


def test_without_a_certificate_one_gets_in_only_where_a_rule_allows_it(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    with gateway(files, Recorder()) as (server, _):
        assert fails(Client(), server)
        files.policy(POLICY + "  - {id: probes, allow: unauthenticated, to: {paths: [/healthz]}}\n")
        assert eventually(lambda: not fails(Client(), server))
        assert status(Client(), server) == b"403"
        probe = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert Client().answer(server, probe).startswith(b"HTTP/1.1 200")
        with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
            Client(Authority.root("Other root").issue(uri=["spiffe://acme.internal/x"])).answer(server, probe)


def test_without_a_good_policy_every_request_is_denied_and_says_why(tmp_path: Path) -> None:
    """Law 4."""
    files = files_in(tmp_path)
    files.policy("rules: nonsense\n")
    with gateway(files, Recorder()) as (server, _):
        assert b"policy_unavailable" in Client().answer(server)
        files.policy(POLICY)
        assert eventually(lambda: not fails(caller(), server))
        assert status(caller(), server) == b"200"


async def ticking(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("change", ["revoked", "denied"])
def test_an_open_answer_is_cut_within_five_seconds_of_a_change(tmp_path: Path, change: str) -> None:
    """Law 9."""
    files = files_in(tmp_path)
    with gateway(files, ticking) as (server, _), caller().connected(server) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        if change == "revoked":
            files.crl(billing().certificate.serial_number)
        else:
            files.policy(POLICY + "  - {id: stop, deny: billing, to: any}\n")
        began = time.monotonic()
        while connection.recv(4096):
            assert time.monotonic() - began < 5


class Late:
    """A policy that comes later."""

    def __init__(self) -> None:
        self.current: PolicySet | None = None


def test_handshakes_go_by_a_policy_only_once_its_context_is_made(tmp_path: Path) -> None:
    """Otherwise a gateway says that it is ready, and turns callers away for want of their CA."""
    files_in(tmp_path)
    late = Late()
    tls = TlsFiles(str(tmp_path / "served.pem"), str(tmp_path / "served.key"), flag_prefix="--")
    contexts = LiveContexts(LiveTls(tls), late)
    first, seen = contexts.current, [contexts.is_prepared]
    late.current = policy()
    seen.append(contexts.is_prepared)
    contexts.renew()
    seen.append(contexts.is_prepared)
    assert seen == [False, False, True]
    assert contexts.current is not first
    assert LiveContexts(LiveTls(tls), late).is_prepared
