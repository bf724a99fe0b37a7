"""One process that serves, as an operator sees it: readiness, signals, refusals."""

import resource
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import sleep

import pytest

from tests.runtime.service_process import Service, refused, service
from tests.runtime.world import POLICY, eventually, replace_file, write_policy

BROKEN = "version: 1\nroutes: nothing\n"


def accepts(running: Service) -> bool:
    try:
        running.get()
    except OSError:
        return False
    return True


def test_one_worker_serves_inside_the_very_process_that_was_started(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy) as running:
        assert running.get() == (200, {"pid": running.process.pid, "reason": "allowed_by_rule"})
        assert running.get("/v1/invoices")[0] == 403
        assert running.metric("peergate_decisions_total", effect="deny") == 1


def test_law_4_a_bad_reload_stays_ready_with_the_problem_in_the_body(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy) as running:
        replace_file(policy, BROKEN)
        eventually(lambda: running.readiness()[1]["state"] == "last_good")
        code, body = running.readiness()
        assert code == 200
        assert any(problem.startswith(f"{policy}:2:9: ") for problem in body["problems"])
        assert running.get()[0] == 200
        assert running.metric("peergate_policy_loads_total", result="failure") == 1


def test_law_4_a_first_start_without_a_good_policy_runs_denies_and_is_not_ready(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy", BROKEN)
    with service(tmp_path, policy, ready=False) as running:
        eventually(lambda: running.readiness()[1].get("state") == "unavailable")
        assert running.readiness()[0] == 503
        # What the policy is, is told before anything listens.
        eventually(lambda: accepts(running))
        assert running.get()[0] == 403
        assert running.get()[1]["reason"] == "policy_unavailable"
        replace_file(policy, POLICY)
        eventually(lambda: running.readiness()[0] == 200)
        assert running.get()[0] == 200


def test_sigterm_drains_finishes_what_is_in_flight_and_ends_with_0(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy) as running, ThreadPoolExecutor(1) as caller:
        slow = caller.submit(running.get, "/slow")
        sleep(0.3)
        running.send(signal.SIGTERM)
        eventually(lambda: running.readiness()[1].get("state") == "draining", 5)
        assert running.readiness()[0] == 503
        eventually(lambda: not accepts(running), 5)
        assert slow.result()[0] == 200
        assert running.ended() == 0
        assert running.records()[-1]["url.path"] == "/slow", "what was in flight is in the log"


def test_sigint_ends_as_sigterm_does(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy")) as running:
        running.send(signal.SIGINT)
        assert running.ended() == 0


def test_sighup_reads_the_policy_again_and_opens_the_log_anew(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy) as running:
        running.get()
        eventually(lambda: len(running.records()) == 1)
        running.decisions.rename(tmp_path / "decisions.1")
        running.send(signal.SIGHUP)
        eventually(lambda: running.metric("peergate_policy_loads_total", result="success") == 2)
        running.get()
        eventually(lambda: running.decisions.exists() and len(running.records()) == 1)


def test_observe_permits_everything_and_is_loud(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy, "observe=true") as running:
        assert running.get("/v1/invoices") == (200, {"pid": running.process.pid, "reason": "no_certificate"})
        body = running.readiness()[1]
        assert body["observe"] is True
        assert "every request is permitted" in body["notices"][0]
        assert running.metric("peergate_observe") == 1
        assert "--observe: every request is permitted" in running.log.read_text()
        eventually(lambda: len(running.records()) == 1)
        assert running.records()[0]["effect"] == "deny"


def test_notices_of_the_adapter_are_in_the_body(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy")) as running:
        assert running.readiness()[1]["notices"] == ["a notice of the adapter"]


def test_a_port_in_use_ends_with_78_and_one_line_about_it(tmp_path: Path) -> None:
    policy = write_policy(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for settings in (["decision_log=off"], ["decision_log=off", "workers=2"]):
            code, error = refused(f"127.0.0.1:{port}", str(policy), *settings)
            assert code == 78
            assert error.splitlines()[-1] == (
                f"serving_program: cannot listen on 127.0.0.1:{port}: Address already in use"
            )
            assert "Traceback" not in error


def test_an_ops_port_in_use_ends_with_78(tmp_path: Path) -> None:
    policy = write_policy(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ops = f"ops=127.0.0.1:{taken.getsockname()[1]}"
        code, error = refused("127.0.0.1:0", str(policy), ops, "decision_log=off")
        assert (code, "Traceback" in error) == (78, False)


def test_a_decision_log_that_cannot_be_opened_ends_with_78(tmp_path: Path) -> None:
    code, error = refused("127.0.0.1:0", str(write_policy(tmp_path)), "decision_log=/missing/log")
    assert code == 78
    assert "the decision log /missing/log cannot be opened" in error


@pytest.mark.parametrize("listen", ["unix:/tmp/peergate-never.sock", "127.0.0.1:0"])
def test_what_several_workers_cannot_share_ends_with_78(tmp_path: Path, listen: str) -> None:
    code, error = refused(listen, str(write_policy(tmp_path)), "workers=2", "decision_log=off")
    assert code == 78
    assert "--workers 2 cannot share" in error


def test_a_service_takes_as_many_descriptors_as_the_system_grants(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        with service(tmp_path, write_policy(tmp_path / "policy")) as running:
            assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
