"""The arguments and the mounted volume of deploy/kubernetes, run: what the probes ask is answered as they expect."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import grpc
import pytest

from extauth.health import AUTHORIZATION
from extauth.wire.messages import HealthCheckRequest, HealthCheckResponse
from pki.authority import Authority
from tests.deploy.files import KUBERNETES, container_of, document
from tests.deploy.mounted_volume import mount

DEPLOYMENT = document(KUBERNETES / "deployment.yaml")
CONTAINER = container_of(DEPLOYMENT)
FILES = {
    name: (KUBERNETES / "policy" / name).read_text(encoding="utf-8") for name in ("policy.yaml", "pki/mesh-root.pem")
}
SERVICE_NAME = "peergate-extauth.peergate.svc"


class Pod:
    """A running one: the process, its ports, and what is mounted."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority.root("envoys and peergate")
        self.policy = folder / "policy"
        self.policy.mkdir()
        mount(self.policy, FILES)
        self.server = self.authority.issue(dns=[SERVICE_NAME], server=True, client=False)
        material = {"tls.crt": self.server.pem, "tls.key": self.server.key_pem, "ca.crt": self.authority.pem}
        for name, content in material.items():
            (folder / name).write_bytes(content)
        self.grpc_port, self.ops_port = _free_ports(2)
        here = {
            "0.0.0.0:9191": f"127.0.0.1:{self.grpc_port}",
            "0.0.0.0:9090": f"127.0.0.1:{self.ops_port}",
            "/etc/peergate/policy": str(self.policy),
            "/etc/peergate/tls": str(folder),
        }
        arguments = "\n".join(CONTAINER["args"])
        for written, used in here.items():
            assert written in arguments
            arguments = arguments.replace(written, used)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peergate", *arguments.split("\n")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def asked(self, probe: str) -> tuple[int, bytes]:
        """What the kubelet gets for a probe; status 0 = no connection."""
        connection = HTTPConnection("127.0.0.1", self.ops_port, timeout=CONTAINER[probe]["timeoutSeconds"])
        try:
            connection.request("GET", CONTAINER[probe]["httpGet"]["path"])
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def waits(self, until: Callable[[], bool], seconds: float) -> None:
        """Until `until()` is true."""
        deadline = time.monotonic() + seconds
        while not until():
            assert self.process.poll() is None, "the process has ended"
            assert time.monotonic() < deadline, "it took too long"
            time.sleep(0.05)

    def generation(self) -> str | None:
        """The generation that every worker serves."""
        found = json.loads(self.asked("readinessProbe")[1])["generation"]
        assert found is None or isinstance(found, str)
        return found


@contextmanager
def _running(folder: Path) -> Iterator[Pod]:
    pod = Pod(folder)
    try:
        startup = CONTAINER["startupProbe"]
        pod.waits(lambda: pod.asked("startupProbe")[0] == 200, startup["periodSeconds"] * startup["failureThreshold"])
        pod.waits(lambda: pod.asked("readinessProbe")[0] == 200, 30)
        yield pod
    finally:
        pod.process.terminate()
        pod.process.wait(DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def _free_ports(number: int) -> list[int]:
    with_ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(one.getsockname()[1]) for one in with_ports]
    for one in with_ports:
        one.close()
    return ports


def _health(pod: Pod, credentials: grpc.ChannelCredentials) -> int:
    options = [("grpc.ssl_target_name_override", SERVICE_NAME)]
    with grpc.secure_channel(f"127.0.0.1:{pod.grpc_port}", credentials, options) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        return int(check(HealthCheckRequest(service=AUTHORIZATION), timeout=5).status)


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """One for all tests: two workers take a second to start."""
    with _running(tmp_path_factory.mktemp("pod")) as running:
        yield running


def test_a_change_of_the_config_map_is_another_generation_without_a_restart(pod: Pod) -> None:
    before = pod.generation()
    mount(pod.policy, FILES | {"policy.yaml": FILES["policy.yaml"].replace("[GET, HEAD]", "[GET]")})
    pod.waits(lambda: pod.generation() not in {before, None}, 20)


def test_with_a_bad_config_map_the_pod_stays_alive_and_ready_and_says_what_is_wrong(pod: Pod) -> None:
    mount(pod.policy, FILES | {"policy.yaml": "version: 2\n"})
    pod.waits(lambda: b'"problem_count":0' not in pod.asked("readinessProbe")[1], 20)
    assert pod.asked("readinessProbe")[0] == 200
    assert pod.asked("livenessProbe")[0] == 200


def test_an_envoy_with_a_certificate_may_ask(pod: Pod) -> None:
    envoy = pod.authority.issue(dns=["envoy"])
    credentials = grpc.ssl_channel_credentials(pod.authority.pem, envoy.key_pem, envoy.pem)
    assert _health(pod, credentials) == HealthCheckResponse.SERVING


def test_who_has_none_may_not(pod: Pod) -> None:
    with pytest.raises(grpc.RpcError):
        _health(pod, grpc.ssl_channel_credentials(pod.authority.pem))


def test_it_ends_well_before_kubernetes_would_kill_it(tmp_path: Path) -> None:
    grace = DEPLOYMENT["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    pause = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    with _running(tmp_path) as pod:
        pod.process.send_signal(signal.SIGTERM)
        assert pod.process.wait(grace - pause) == 0
