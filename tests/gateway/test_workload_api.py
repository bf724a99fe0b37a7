"""The CA of a trust domain is replaced by its Workload API, old -> both -> new, under steady traffic.

The gateway is a process of its own, with real handshakes, and not restarted; nobody who is entitled is ever refused.
"""

import ssl
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from pki.authority import Authority
from tests.extauth.service_process import eventually
from tests.gateway.server.world import BILLING, Client
from tests.gateway.service_process import Running, running
from tests.support.workload_api import WorkloadApiServer, bundle_of, workload_api

#: Seconds of traffic in each phase.
PHASE_SECONDS = 0.7
LET_IN = b"200"


@pytest.fixture
def api() -> Iterator[WorkloadApiServer]:
    # The path of a socket is short.
    with tempfile.TemporaryDirectory() as folder, workload_api(Path(folder) / "agent.sock") as started:
        yield started


def policy(api: WorkloadApiServer) -> str:
    return f"""\
version: 1
trust: {{mesh: {{spiffe_bundle: {{workload_api: "{api.url}"}}, spiffe_trust_domain: acme.internal}}}}
identities: {{billing: {{uri: "{BILLING}"}}}}
rules: [{{id: open, allow: billing, to: {{paths: ["/**"]}}}}]
"""


def client_of(authority: Authority) -> Client:
    return Client(authority.issue(uri=[BILLING]))


def told(gateway: Running, client: Client) -> bytes:
    """The status of an answer on a new connection, or the word of the handshake that failed."""
    try:
        return gateway.answer(client)[9:12]
    except ssl.SSLError as error:
        return (error.reason or "").encode()


def metric(gateway: Running, name: str) -> float:
    with urllib.request.urlopen(f"http://{gateway.ops}/metrics", timeout=5) as response:
        lines: list[str] = response.read().decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@contextmanager
def busy(gateway: Running, client: Callable[[], Client]) -> Iterator[Counter[bytes]]:
    """Three clients with a new connection for every request, one that keeps its own; `seen` is complete afterwards."""
    stop, seen = threading.Event(), Counter[bytes]()

    def fresh() -> Counter[bytes]:
        found: Counter[bytes] = Counter()
        while not stop.is_set():
            found[told(gateway, client())] += 1
        return found

    def kept() -> Counter[bytes]:
        found: Counter[bytes] = Counter()
        who = client()
        while not stop.is_set():
            with gateway.connected(who) as connection:
                while not stop.wait(0.01) and who is client():
                    connection.sendall(b"GET /v1/a HTTP/1.1\r\nHost: a\r\n\r\n")
                    answer = b""
                    while not answer.endswith(b"served") and (more := connection.recv(4096)):
                        answer += more
                    found[answer[9:12]] += 1
            who = client()
        return found

    with ThreadPoolExecutor(4) as threads:
        working = [threads.submit(work) for work in (fresh, fresh, fresh, kept)]
        try:
            yield seen
        finally:
            stop.set()
    for work in working:
        seen.update(work.result())


def test_a_ca_is_replaced_and_nobody_is_wrongly_refused(api: WorkloadApiServer, tmp_path: Path) -> None:
    old, new = Authority.root("SPIRE CA"), Authority.root("SPIRE CA")
    old_client, new_client = client_of(old), client_of(new)
    current = [old_client]
    api.tell(acme_internal=bundle_of(old))
    with running(tmp_path, policy=policy(api)) as gateway:
        with busy(gateway, lambda: current[0]) as seen:
            time.sleep(PHASE_SECONDS)
            assert told(gateway, new_client) != LET_IN
            api.tell(acme_internal=bundle_of(old, new))
            eventually(lambda: told(gateway, new_client) == LET_IN)
            time.sleep(PHASE_SECONDS)
            current[0] = new_client
            time.sleep(PHASE_SECONDS)
            api.tell(acme_internal=bundle_of(new))
            eventually(lambda: told(gateway, old_client) != LET_IN, 3)
            time.sleep(PHASE_SECONDS)
        assert set(seen) == {LET_IN}, seen
        assert seen[LET_IN] > 100
        assert api.streams == 1, "the gateway was told everything on one stream"


def test_a_gateway_without_a_bundle_denies_and_is_not_ready_until_the_bundle_comes(
    api: WorkloadApiServer, tmp_path: Path
) -> None:
    mesh = Authority.root("SPIRE CA")
    client = client_of(mesh)
    with running(tmp_path, policy=policy(api), ready=False) as gateway:
        code, detail = gateway.readiness()
        assert (code, detail["state"]) == (503, "unavailable")
        assert "bundle_missing" in detail["problems"][0]
        assert any("no answer yet" in notice for notice in detail["notices"])
        assert told(gateway, client) != LET_IN
        api.tell(acme_internal=bundle_of(mesh))
        eventually(lambda: told(gateway, client) == LET_IN)
        assert gateway.readiness()[1]["notices"] == []


def test_an_agent_that_is_gone_is_visible_and_refuses_nobody(api: WorkloadApiServer, tmp_path: Path) -> None:
    mesh = Authority.root("SPIRE CA")
    client = client_of(mesh)
    api.tell(acme_internal=bundle_of(mesh))
    with running(tmp_path, policy=policy(api)) as gateway:
        assert metric(gateway, "peergate_spiffe_bundle_stale_seconds") == 0
        api.stop()
        eventually(lambda: metric(gateway, "peergate_spiffe_bundle_stale_seconds") > 1)
        code, detail = gateway.readiness()
        assert code == 200
        assert any("its last good bundles stay" in notice for notice in detail["notices"])
        assert told(gateway, client) == LET_IN
        assert metric(gateway, 'peergate_spiffe_bundle_updates_total{result="failed"}') >= 1
        api.start()
        eventually(lambda: metric(gateway, "peergate_spiffe_bundle_stale_seconds") == 0)
