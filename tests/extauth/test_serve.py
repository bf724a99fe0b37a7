"""The whole service as a program: workers, reloads, and its end."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

from extauth.wire.messages import CheckResponse
from tests.extauth.service_process import eventually, running
from tests.extauth.world import POLICY, billing, question


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
        eventually(lambda: service.readiness()[1]["state"] == "unavailable")
        assert service.readiness()[0] == 503
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


def test_grpc_is_told_how_to_poll_before_it_is_imported() -> None:
    """It reads the variable only once."""
    program = "import sys, extauth.serve, peergate.commands.extauth_serve; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
