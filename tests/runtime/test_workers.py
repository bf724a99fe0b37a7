"""Several workers behind one port: as one service in readiness and metrics, and never without their supervisor."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.runtime.service_process import Service, refused, service
from tests.runtime.world import POLICY, ROOT, RULES, eventually, replace_file, write_policy

DENIES = POLICY + "  - {id: nobody, deny: anyone, to: open}\n"


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def answering_pids(running: Service, calls: int = 40) -> set[int]:
    return {running.get()[1]["pid"] for _ in range(calls)}


def test_workers_share_the_port_and_their_metrics_are_summed(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy"), "workers=2") as running:
        pids = answering_pids(running)
        assert pids == running.worker_pids()
        assert len(pids) == 2
        assert running.process.pid not in pids
        assert running.metric("peergate_decisions_total", effect="allow") == 40
        assert running.metric("peergate_decision_latency_seconds_count") == 40
        eventually(lambda: len(running.records()) == 40)
        assert running.metric("peergate_workers_ready") == 2


def test_ready_only_if_every_worker_is_and_a_killed_one_is_started_again(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy"), "workers=2") as running:
        before = running.worker_pids()
        answering_pids(running, 10)
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: running.readiness()[0] == 503, 5)
        eventually(lambda: running.readiness()[0] == 200, 20)
        assert victim not in running.worker_pids()
        assert len(running.worker_pids() & before) == 1
        assert running.metric("peergate_worker_restarts_total") == 1
        assert running.metric("peergate_decisions_total", effect="allow") == 10, "a dead worker's counts stay"


def test_a_worker_that_is_started_again_takes_no_crl_that_is_older_than_what_the_others_had(tmp_path: Path) -> None:
    trust = "mesh: {anchors: [pki/mesh-root.pem], spiffe_trust_domain: acme.internal, crls: [pki/mesh.crl]}"
    file = write_policy(tmp_path / "policy", f"version: 1\ntrust:\n  {trust}\n{RULES}")
    crl = file.parent / "pki/mesh.crl"
    crl.write_bytes(ROOT.crl([7], number=2))
    with service(tmp_path, file, "workers=2") as running:
        before = running.worker_pids()
        crl.write_bytes(ROOT.crl(number=1))
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: any(pid not in before for pid in running.worker_pids()), 20)
        eventually(lambda: running.readiness()[1]["state"] == "unavailable", 20)
        assert any("crl_older" in problem for problem in running.readiness()[1]["problems"])
        crl.write_bytes(ROOT.crl([7], number=3))
        eventually(lambda: running.readiness()[0] == 200, 20)


def test_a_reload_reaches_every_worker(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy, "workers=2") as running:
        before = running.readiness()[1]["generation"]
        replace_file(policy, DENIES)
        eventually(lambda: running.readiness()[1]["generation"] not in {before, None})
        assert {running.get()[0] for _ in range(20)} == {403}
        assert running.metric("peergate_policy_loads_total", result="success") == 4


def test_law_4_a_bad_reload_in_the_workers_is_told_by_the_supervisor(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    with service(tmp_path, policy, "workers=2") as running:
        replace_file(policy, "version: 1\nrules: nothing\n")
        eventually(lambda: running.metric("peergate_policy_loads_total", result="failure") == 2)
        eventually(lambda: running.readiness()[1]["state"] == "last_good")
        code, body = running.readiness()
        assert code == 200
        assert body["problem_count"] > 0


def test_a_silent_worker_makes_the_service_unready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy"), "workers=2") as running:
        stopped = min(running.worker_pids())
        os.kill(stopped, signal.SIGSTOP)
        eventually(lambda: running.readiness()[0] == 503, 15)
        assert running.readiness()[1]["state"] == "silent"
        os.kill(stopped, signal.SIGCONT)
        eventually(lambda: running.readiness()[0] == 200, 5)


def test_workers_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy"), "workers=2") as running:
        pids = running.worker_pids()
        running.send(signal.SIGKILL)
        running.ended()
        eventually(lambda: not any(is_running(pid) for pid in pids), 10)


def test_sigterm_drains_every_worker_and_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TMPDIR", str(temporary))
        running_service = service(tmp_path, write_policy(tmp_path / "policy"), "workers=2")
        with running_service as running, ThreadPoolExecutor(4) as callers:
            pids = running.worker_pids()
            assert list(temporary.iterdir())
            slow = [callers.submit(running.get, "/slow") for _ in range(4)]
            sleep(0.4)
            running.send(signal.SIGTERM)
            eventually(lambda: running.readiness()[1].get("state") == "draining", 5)
            assert {answer.result()[0] for answer in slow} == {200}
            assert running.ended() == 0
            assert not any(is_running(pid) for pid in pids)
            assert len(running.records()) == 4
    assert list(temporary.iterdir()) == []


def test_sighup_reaches_the_workers(tmp_path: Path) -> None:
    with service(tmp_path, write_policy(tmp_path / "policy"), "workers=2") as running:
        running.send(signal.SIGHUP)
        eventually(lambda: running.metric("peergate_policy_loads_total", result="success") == 4)


def test_a_worker_that_refuses_its_configuration_ends_the_service_at_once(tmp_path: Path) -> None:
    began = monotonic()
    code, error = refused("127.0.0.1:1", str(write_policy(tmp_path)), "workers=2", "decision_log=/missing/log")
    assert code == 78
    assert error.splitlines()[-1].startswith("serving_program: the decision log /missing/log cannot be opened")
    assert monotonic() - began < 15
