"""The ops listener over real HTTP."""

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import sleep

import pytest
from prometheus_client.parser import text_string_to_metric_families

from policies.reason import Reason
from runtime import ops as ops_module
from runtime.address import TcpAddress, UnixAddress
from runtime.listener import address_of, listener_from_address
from runtime.metrics import Metrics
from runtime.ops import OpsServer, ops_app
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.process_status import ProcessStatus, ServiceStatus
from tests.runtime.world import eventually


class Told:
    """A status that tests change."""

    def __init__(self) -> None:
        self.policy = PolicyStatus(PolicyState.SERVING, "g1", 7)

    def status(self) -> ServiceStatus:
        return ServiceStatus((ProcessStatus(1, self.policy, listening=True),), observe=False)


@contextmanager
def ops(told: Told, metrics: Metrics) -> Iterator[str]:
    listener = listener_from_address(TcpAddress("127.0.0.1", 0))
    address = address_of(listener)
    server = OpsServer(ops_app(told.status, metrics.registry), listener)
    server.start()
    try:
        yield f"http://{address}"
    finally:
        server.stop()


def answer(url: str, method: str = "GET") -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_healthz_is_alive_whatever_the_policy() -> None:
    told = Told()
    told.policy = PolicyStatus(PolicyState.UNAVAILABLE)
    with ops(told, Metrics()) as url:
        assert answer(f"{url}/healthz") == (200, "alive\n")


def test_readyz_follows_the_status() -> None:
    told = Told()
    with ops(told, Metrics()) as url:
        code, body = answer(f"{url}/readyz")
        assert (code, json.loads(body)["generation"]) == (200, "g1")
        told.policy = PolicyStatus(PolicyState.UNAVAILABLE)
        code, body = answer(f"{url}/readyz")
        assert (code, json.loads(body)["state"]) == (503, "unavailable")


def test_metrics_hold_counters_and_states_and_are_readable_by_prometheus() -> None:
    metrics = Metrics()
    metrics.decisions("extauth").count(Reason.NO_CERTIFICATE, 1e-5)
    with ops(Told(), metrics) as url:
        code, text = answer(f"{url}/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert code == 200
    assert families["peergate_ready"].samples[0].value == 1
    assert sum(sample.value for sample in families["peergate_decisions"].samples) == 1


@pytest.mark.parametrize("path", ["/", "/readyz/", "/metrics/x", "/../healthz", "/%2e/healthz"])
def test_everything_else_is_not_found(path: str) -> None:
    with ops(Told(), Metrics()) as url:
        assert answer(f"{url}{path}")[0] == 404


def test_only_reading_is_served() -> None:
    with ops(Told(), Metrics()) as url:
        assert answer(f"{url}/readyz", "POST")[0] == 405
        assert answer(f"{url}/healthz", "HEAD")[0] == 200


def test_a_status_that_fails_is_not_ready() -> None:
    def failing() -> ServiceStatus:
        raise RuntimeError

    listener = listener_from_address(TcpAddress("127.0.0.1", 0))
    server = OpsServer(ops_app(failing, Metrics().registry), listener)
    url = f"http://{address_of(listener)}"
    server.start()
    try:
        assert answer(f"{url}/readyz")[0] == 500
        assert answer(f"{url}/healthz")[0] == 200
    finally:
        server.stop()


def test_a_unix_socket_serves_too(tmp_path: Path) -> None:
    path = str(tmp_path / "ops.sock")
    server = OpsServer(ops_app(Told().status, Metrics().registry), listener_from_address(UnixAddress(path)))
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(path)
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: ops\r\nConnection: close\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        server.stop()


def test_after_stop_nothing_listens() -> None:
    with ops(Told(), Metrics()) as url:
        pass
    with pytest.raises(urllib.error.URLError):
        answer(f"{url}/healthz")


@contextmanager
def connections(url: str, count: int) -> Iterator[list[socket.socket]]:
    host, _, port = url.removeprefix("http://").partition(":")
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((host, int(port)), timeout=5)) for _ in range(count)]


def test_a_connection_beyond_the_bound_is_refused_before_it_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops_module, "MAX_OPS_CONNECTIONS", 3)
    with ops(Told(), Metrics()) as url, connections(url, 4) as clients:
        *_, refused = clients
        assert refused.recv(4096).startswith(b"HTTP/1.1 503")
        assert refused.recv(4096) == b""


def test_a_freed_connection_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops_module, "MAX_OPS_CONNECTIONS", 2)
    with ops(Told(), Metrics()) as url:
        with connections(url, 2):
            assert answer(f"{url}/healthz")[0] == 503
        eventually(lambda: answer(f"{url}/healthz")[0] == 200, 5)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /healthz HTTP/1.1\r\nHost:", b"GET /healthz HTTP/1.1\r\nHost: ops\r\n\r\nGET /"],
    ids=["nothing", "half a head", "half a second head"],
)
def test_a_connection_that_asks_nothing_is_closed(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops_module, "OPS_ANSWER_SECONDS", 0.2)
    with ops(Told(), Metrics()) as url, connections(url, 1) as (client,):
        client.sendall(sent)
        with suppress(ConnectionResetError):
            while client.recv(4096):
                pass


def test_a_head_that_trickles_in_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops_module, "OPS_ANSWER_SECONDS", 0.2)

    def trickle(client: socket.socket) -> None:
        client.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        for _ in range(100):
            client.sendall(b"x")
            sleep(0.05)

    with ops(Told(), Metrics()) as url, connections(url, 1) as (client,), pytest.raises(ConnectionError):
        trickle(client)
