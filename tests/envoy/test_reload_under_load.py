"""Laws 3 to 5 under load: while the policy is swapped, every request is answered by the old policy or by the new one.

`make soak` runs this for 30 s; the seconds come from PEERGATE_SOAK_SECONDS.
"""

import os
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peergate.demo.client import Answer, answer_from_socket, client_context, request_bytes
from runtime.envoy.ext_authz import Authorization
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import Front, front
from tests.support.mesh import POLICY, Mesh

SECONDS = float(os.environ.get("PEERGATE_SOAK_SECONDS", "5"))
SWAP_SECONDS = 0.1
#: A policy is read when it lay still for 200 ms: after so many swaps comes a rest that lets one be read.
SWAPS_BETWEEN_RESTS = 5
REST_SECONDS = 0.6
CLIENTS = 3

OLD = POLICY + "  - {id: swapped, allow: billing, to: {paths: [/swapped]}}\n"
NEW = POLICY + "  - {id: swapped, deny: billing, to: {paths: [/swapped]}}\n"
#: What either policy may say of each target, and nothing else.
POSSIBLE = {
    b"/v1/always": {(200, "")},
    b"/never": {(403, "no_matching_rule")},
    b"/swapped": {(200, ""), (403, "denied_by_rule")},
}


def test_no_request_fails_and_no_verdict_is_of_neither_policy(mesh: Mesh, envoy_binary: Path) -> None:
    mesh.write(OLD)
    stop = threading.Event()
    with (
        ExtauthProcess.start(mesh.policy, mesh.folder) as service,
        front(envoy_binary, Authorization(service.listen, timeout=2), mesh.folder) as running,
        ThreadPoolExecutor(CLIENTS + 1) as threads,
    ):
        clients = [threads.submit(_verdicts, running, mesh, stop) for _ in range(CLIENTS)]
        swaps = threads.submit(_swap, mesh, stop)
        stop.wait(SECONDS)
        stop.set()
        seen = sum((client.result() for client in clients), Counter[tuple[bytes, int, str]]())
        assert swaps.result() > SECONDS
        assert service.status()["problems"] == []
    impossible = {verdict: n for verdict, n in seen.items() if verdict[1:] not in POSSIBLE[verdict[0]]}
    assert impossible == {}
    assert {verdict[1:] for verdict in seen if verdict[0] == b"/swapped"} == POSSIBLE[b"/swapped"], (
        "nothing was reloaded"
    )
    assert seen.total() > 100 * SECONDS


def _verdicts(running: Front, mesh: Mesh, stop: threading.Event) -> Counter[tuple[bytes, int, str]]:
    """What was answered on one connection, which must outlive every reload."""
    seen: Counter[tuple[bytes, int, str]] = Counter()
    raw = socket.create_connection(running.address, 10)
    with raw, client_context(running.server_ca, mesh.billing).wrap_socket(raw) as connection:
        while not stop.is_set():
            for target in POSSIBLE:
                connection.sendall(request_bytes("GET", target, [("Host", b"h.example")]))
                answer: Answer = answer_from_socket(connection, method="GET")
                seen[target, answer.status, answer.reason] += 1
    return seen


def _swap(mesh: Mesh, stop: threading.Event) -> int:
    swaps = 0
    while not stop.is_set():
        mesh.write(NEW if swaps % 2 == 0 else OLD)
        swaps += 1
        time.sleep(REST_SECONDS if swaps % SWAPS_BETWEEN_RESTS == 0 else SWAP_SECONDS)
    return swaps
