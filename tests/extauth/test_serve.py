"""The whole service: composition in this process, and as a program with workers, reloads and an end."""

import json
import signal
import socket
import urllib.request
from pathlib import Path

import grpc
import pytest

from extauth.configuration import ExtauthSettings
from extauth.hops import TrustedHops
from extauth.serve import ExtauthFront
from extauth.wire.messages import CheckResponse
from runtime.address import TcpAddress, UnixAddress
from runtime.errors import ListenError
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.policy_source import PolicySource
from runtime.service import Serving
from tests.extauth.service_process import CHECK, eventually, running
from tests.extauth.world import POLICY, billing, mesh, question, xfcc

ANYWHERE = TcpAddress("127.0.0.1", 0)


def serving(folder: Path, *, loaded: bool = True) -> Serving:
    (folder / "root.pem").write_bytes(mesh().pem)
    (folder / "policy.yaml").write_text(POLICY)
    metrics = Metrics()
    live = LivePolicy(PolicySource(str(folder)), metrics)
    if loaded:
        live.start()
    return Serving(live, metrics, None, observe=False, share_port=False)


def test_both_listeners_answer_by_one_policy(tmp_path: Path) -> None:
    hops = TrustedHops.parse(("127.0.0.1/32",))
    found = serving(tmp_path)
    front = ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops), found)
    front.start()
    try:
        grpc_address, http_address = front.addresses
        with grpc.insecure_channel(str(grpc_address)) as channel:
            asked = channel.unary_unary(CHECK, bytes, bytes)
            answer = asked(question(issued=billing()).SerializeToString(), timeout=5, wait_for_ready=True)
        request = urllib.request.Request(
            f"http://{http_address}/v1/a",
            headers={"Host": "invoices.example", "x-forwarded-client-cert": xfcc(billing())},
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            assert response.headers["x-peergate-identity"] == "billing"
        assert CheckResponse.FromString(answer).status.code == 0
    finally:
        front.stop(1)
        found.live.stop()


def test_nothing_is_left_open_if_one_listener_cannot_start(tmp_path: Path) -> None:
    grpc_socket = tmp_path / "grpc.sock"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ExtauthSettings(
            UnixAddress(str(grpc_socket)),
            TcpAddress("127.0.0.1", taken.getsockname()[1]),
            hops=TrustedHops.parse(("unix",)),
        )
        with pytest.raises(ListenError):
            ExtauthFront(settings, serving(tmp_path, loaded=False)).start()
    assert not grpc_socket.exists()


def test_the_report_names_what_http_does_not_show_and_counts_callers(tmp_path: Path) -> None:
    found = serving(tmp_path)
    hops = TrustedHops.parse(("unix",))
    assert ExtauthFront(ExtauthSettings(ANYWHERE), found).report().notices == ()
    notices = ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops), found).report().notices
    assert any("needed by office" in notice for notice in notices)
    shown = frozenset({"x-forwarded-for", "content-type", "x-ring"})
    assert (
        ExtauthFront(ExtauthSettings(ANYWHERE, ANYWHERE, hops=hops, seen_headers=shown), found).report().notices == ()
    )
    found.live.stop()


def test_the_report_of_a_service_without_a_policy_is_empty(tmp_path: Path) -> None:
    found = serving(tmp_path, loaded=False)
    assert ExtauthFront(ExtauthSettings(ANYWHERE), found).report().cached_certificates == 0


# --- as a program


def reason_of(answer: CheckResponse) -> str:
    return answer.dynamic_metadata.fields["reason"].string_value


def test_workers_share_the_port_and_end_on_sigterm(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "2") as service:
        pids = {worker["pid"] for worker in service.readiness()[1]["workers"]}
        assert len(pids) == 2
        for _ in range(20):
            assert service.answer(question(issued=billing())).status.code == 0
        assert service.ended() == 0


def test_without_a_good_policy_it_runs_is_not_ready_and_denies_everything(tmp_path: Path) -> None:
    """Law 4."""
    with running(tmp_path, policy="version: 1\nrules: nonsense\n", ready=False) as service:
        code, body = service.readiness()
        assert (code, body["state"]) == (503, "unavailable")
        answer = service.answer(question(path="/healthz"))
        assert (answer.status.code, reason_of(answer)) == (7, "policy_unavailable")
        service.write(POLICY)
        eventually(lambda: service.readiness()[0] == 200)
        assert service.answer(question(path="/healthz")).status.code == 0
        assert service.ended() == 0


def test_a_corrupt_reload_keeps_the_last_good_policy_and_says_so(tmp_path: Path) -> None:
    """Law 4."""
    with running(tmp_path) as service:
        service.write("version: 1\nrules: [\n")
        eventually(lambda: service.readiness()[1].get("state") == "last_good")
        code, body = service.readiness()
        assert code == 200
        assert "policy.yaml:" in json.dumps(body["problems"])
        assert service.answer(question(issued=billing())).status.code == 0


def test_a_reload_changes_the_verdict_and_the_generation(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        before = service.answer(question(issued=billing()))
        service.write(POLICY + "  - {id: stop, deny: billing, to: any}\n")
        eventually(lambda: service.answer(question(issued=billing())).status.code != 0)
        after = service.answer(question(issued=billing()))
        assert reason_of(after) == "denied_by_rule"
        assert before.dynamic_metadata.fields["generation"] != after.dynamic_metadata.fields["generation"]


def test_a_port_in_use_is_78_and_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        with running(tmp_path, listen=place) as service:
            assert service.process.wait(20) == 78
    said = service.stderr.read_text().splitlines()
    assert [line for line in said if not line.startswith("time=")] == [
        f"peergate: cannot listen on {place}: Address already in use"
    ]


def test_sigint_ends_it_like_sigterm(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0
    assert "Traceback" not in service.stderr.read_text()
