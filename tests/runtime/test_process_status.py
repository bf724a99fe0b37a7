"""A service is as good as its worst process."""

import pickle

import pytest
from prometheus_client import CollectorRegistry

from policies.language.codes import Code
from policies.language.problem import Position, Problem
from runtime.limits import MAX_SHOWN_PROBLEMS
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.process_status import FrontReport, ProcessStatus, ServiceStatus
from runtime.status_metrics import StatusCollector

PROBLEM = Problem(Position("policy.yaml", 3, 1), Code.NO_RULE, "no rule", "add one")
SERVING = PolicyStatus(PolicyState.SERVING, "g1", 7, loaded_at=10.0)
LAST_GOOD = PolicyStatus(PolicyState.LAST_GOOD, "g1", 7, (PROBLEM,), 10.0, 20.0, problem_count=1)
UNAVAILABLE = PolicyStatus(PolicyState.UNAVAILABLE, problems=(PROBLEM,), failed_at=20.0, problem_count=1)


def process(policy: PolicyStatus = SERVING, *, listening: bool = True, draining: bool = False) -> ProcessStatus:
    return ProcessStatus(1, policy, FrontReport(), listening=listening, draining=draining)


def service(*processes: ProcessStatus | None, observe: bool = False) -> ServiceStatus:
    return ServiceStatus(processes, observe)


@pytest.mark.parametrize(
    ("one", "ready", "state"),
    [
        (process(), True, "serving"),
        (process(LAST_GOOD), True, "last_good"),
        (process(UNAVAILABLE), False, "unavailable"),
        (process(PolicyStatus(), listening=False), False, "starting"),
        (process(listening=False), False, "starting"),
        (ProcessStatus(1, SERVING, FrontReport(is_prepared=False), listening=True), False, "starting"),
        (process(draining=True), False, "draining"),
        (None, False, "silent"),
    ],
)
def test_ready_is_every_process_on_a_good_generation(one: ProcessStatus | None, ready: bool, state: str) -> None:
    assert (service(one).is_ready, service(one).state) == (ready, state)
    both = service(process(), one)
    assert (both.is_ready, both.state) == (ready, state)


def test_a_draining_service_is_not_ready_whatever_its_workers_say() -> None:
    draining = ServiceStatus((process(),), observe=False, draining=True)
    assert (draining.is_ready, draining.state) == (False, "draining")


def test_the_generation_is_named_when_all_serve_it() -> None:
    other = process(PolicyStatus(PolicyState.SERVING, "g2", 7))
    assert service(process(), process()).generation == "g1"
    assert service(process(), other).generation is None
    assert service(process(), None).generation is None
    assert service(process(), other).is_ready, "both are on a good one"


def test_the_body_shows_a_failed_reload_of_any_worker_once() -> None:
    body = service(process(LAST_GOOD), process(LAST_GOOD), process()).json()
    assert body["problems"] == ["policy.yaml:3:1: no_rule: no rule (add one)"]
    assert body["problem_count"] == 1
    assert body["ready"] is True


def test_a_status_that_travels_is_small_and_still_knows_how_many_problems_there_are() -> None:
    problems = tuple(Problem(Position("p", line, 1), Code.NO_RULE, "x") for line in range(5000))
    status = PolicyStatus(PolicyState.UNAVAILABLE, problems=problems, problem_count=5000).shortened()
    sent: ProcessStatus = pickle.loads(pickle.dumps(process(status)))
    assert sent == process(status)
    body = service(sent).json()
    assert (body["problem_count"], len(sent.policy.problems)) == (5000, MAX_SHOWN_PROBLEMS)


def test_observe_and_an_unsettled_policy_are_loud_in_the_body() -> None:
    unsettled = PolicyStatus(PolicyState.SERVING, "g1", 7, unsettled=True)
    body = service(process(unsettled), observe=True).json()
    assert body["observe"] is True
    assert body["notices"] == [
        "--observe: every request is permitted, whatever is decided; the handshake still refuses callers",
        "the policy never lies still, so it is not read",
    ]


def test_notices_of_the_adapter_are_shown_once() -> None:
    front = FrontReport(notices=("rule r1 needs header x-tenant",))
    one = ProcessStatus(1, SERVING, front, listening=True)
    assert service(one, one).json()["notices"] == ["rule r1 needs header x-tenant"]


def sample(status: ServiceStatus, name: str, labels: dict[str, str] | None = None) -> float | None:
    registry = CollectorRegistry()
    registry.register(StatusCollector(lambda: status))
    return registry.get_sample_value(name, labels or {})


def test_metrics_sum_over_processes() -> None:
    front = FrontReport(cached_certificates=3, envoy_restarts=10)
    one = ProcessStatus(1, SERVING, front, listening=True, queued_records=5)
    both = ServiceStatus((one, one, None), observe=False, restarts=2)
    assert sample(both, "peergate_certificate_cache_entries") == 6
    assert sample(both, "peergate_envoy_restarts_total") == 20
    assert sample(both, "peergate_decision_log_queued") == 10
    assert sample(both, "peergate_worker_restarts_total") == 2
    assert sample(both, "peergate_workers_wanted") == 3
    assert sample(both, "peergate_workers_ready") == 2
    assert sample(both, "peergate_policy_rules") == 7
    assert sample(both, "peergate_policy_generation_info", {"generation": "g1"}) == 2
    assert sample(both, "peergate_ready") == 0


def test_metrics_tell_a_failed_reload() -> None:
    assert sample(service(process(LAST_GOOD)), "peergate_policy_last_load_failed") == 1
    assert sample(service(process(LAST_GOOD)), "peergate_policy_last_failure_timestamp_seconds") == 20
    assert sample(service(process()), "peergate_policy_last_load_failed") == 0
    assert sample(service(process(), observe=True), "peergate_observe") == 1
