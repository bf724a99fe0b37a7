"""Certificate, CA and CRL are swapped every second: no request of a legitimate client fails, on new or old connections.

`make soak` runs this for a minute; the seconds come from PEERGATE_SOAK_SECONDS.
"""

import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateway.server.server import GatewayServer
from pki.authority import Authority
from tests.gateway.gateway import Files, files_in, gateway, server_certificate
from tests.gateway.server.world import Recorder, asked, caller, mesh

SECONDS = float(os.environ.get("PEERGATE_SOAK_SECONDS", "8"))
CLIENTS = 3
REQUESTS = 20


def test_no_legitimate_request_fails_while_everything_is_swapped(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    stop = threading.Event()
    with gateway(files, Recorder()) as (server, live), ThreadPoolExecutor(CLIENTS + 2) as threads:
        clients = [threads.submit(_answers, server, stop) for _ in range(CLIENTS)]
        kept = threads.submit(_on_one_connection, server, stop)
        swaps = threads.submit(_swap, files, stop)
        stop.wait(SECONDS)
        stop.set()
        seen = sum((client.result() for client in clients), Counter[tuple[bool, bytes]]())
        assert kept.result() > SECONDS
        assert swaps.result() >= SECONDS - 2
        assert live.status.problems == ()
    assert {answered for answered, _ in seen} == {True}
    shown = {certificate for _, certificate in seen}
    assert len(shown) >= SECONDS / 2, "the listener's certificate was not renewed"


def _answers(server: GatewayServer, stop: threading.Event) -> Counter[tuple[bool, bytes]]:
    """Requests by whether they were answered, and by the certificate that was shown."""
    seen: Counter[tuple[bool, bytes]] = Counter()
    while not stop.is_set():
        with caller().connected(server) as connection:
            shown = connection.getpeercert(binary_form=True)
            assert shown is not None
            for _ in range(REQUESTS):
                seen[asked(connection), shown] += 1
    return seen


def _on_one_connection(server: GatewayServer, stop: threading.Event) -> int:
    count = 0
    with caller().connected(server) as connection:
        while not stop.wait(0.01):
            assert asked(connection), "a connection was dropped by a change"
            count += 1
    return count


def _swap(files: Files, stop: threading.Event) -> int:
    count = 0
    while not stop.wait(1.0):
        count += 1
        files.served(server_certificate())
        files.crl(count + 1000)
        files.anchors(*([mesh()] if count % 2 else [mesh(), Authority.root("Next root")]))
    return count
