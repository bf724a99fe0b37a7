"""The next policy is asked beside the one in force, and changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from policies.authoring.replay import Replay
from policies.engine.decision import Decision
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.record_lines import RecordLines
from policies.engine.request import Request
from policies.peer.presented import Presented
from policies.peer.reader import PresentedReader
from policies.reason import Reason
from runtime import comparison as comparison_module
from runtime.check import Checks, Received
from runtime.comparison import ReadAgain
from runtime.decision_log import Entry
from runtime.errors import MalformedQuestionError
from runtime.judge import FixedPolicy, Judge, Judgement
from runtime.metrics import Metrics
from tests.runtime.said import messages
from tests.runtime.service_process import Service, service
from tests.runtime.test_judge import Memory
from tests.runtime.world import (
    BILLING,
    HEAD,
    POLICY,
    STRANGER,
    eventually,
    policy_set,
    replace_file,
    request,
    write_policy,
)

NEXT = POLICY + "  - {id: nobody, deny: anyone, to: open}\n"
BROKEN = HEAD + "rules: nothing\n"
BY_HEADER = POLICY + "  - {id: staged, deny: billing, to: {paths: ['/v1/**'], headers: {x-stage: [new]}}}\n"


class Asked:
    """A judge of one policy beside another, and what it left behind."""

    def __init__(self, policy: PolicySet | None, following: PolicySet | None) -> None:
        self.policy = policy
        self.metrics = Metrics()
        self.log = Memory()
        self.judge = Judge(
            FixedPolicy(policy), self.metrics, self.log, Enforcement.EXTAUTH, following=FixedPolicy(following)
        )

    def decide(self, asked: Request, read_again: ReadAgain | None = None) -> Judgement:
        return self.judge.decide(self.policy, asked, read_again=read_again or (lambda _: asked))

    @property
    def entry(self) -> Entry:
        return self.log.entries[-1]

    def counted(self, metric: str, **labels: str) -> float:
        labels = {"enforcement": "extauth", **labels}
        return self.metrics.registry.get_sample_value(f"peergate_shadow_policy_{metric}_total", labels) or 0.0


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], PolicySet]:
    return lambda text: policy_set(tmp_path / str(hash(text)), text)


def test_a_difference_is_counted_and_recorded_and_changes_nothing(made: Callable[[str], PolicySet]) -> None:
    asked = Asked(made(POLICY), made(NEXT))
    verdict = asked.decide(request(path="/open"))
    assert (verdict.permitted, verdict.decision.reason) == (True, Reason.ALLOWED_BY_RULE)
    assert verdict.decision == Asked(made(POLICY), None).decide(request(path="/open")).decision
    following = asked.entry.following
    assert following is not None
    assert (following.reason, following.rules) == (Reason.DENIED_BY_RULE, ("nobody",))
    assert asked.counted("decisions", result="differs") == 1
    how = {"effect": "allow", "reason": "allowed_by_rule", "next_effect": "deny", "next_reason": "denied_by_rule"}
    assert asked.counted("differences", **how) == 1


def test_the_next_policy_permits_nothing_that_the_current_one_denies(made: Callable[[str], PolicySet]) -> None:
    asked = Asked(made(NEXT), made(POLICY))
    assert not asked.decide(request(path="/open")).permitted
    assert not Asked(None, made(POLICY)).decide(request(path="/open")).permitted
    assert (
        asked.counted(
            "differences", effect="deny", reason="denied_by_rule", next_effect="allow", next_reason="allowed_by_rule"
        )
        == 1
    )


def test_the_same_decision_is_counted_as_the_same_and_by_other_rules_as_such(made: Callable[[str], PolicySet]) -> None:
    asked = Asked(made(POLICY), made(POLICY.replace("id: anybody", "id: everybody")))
    asked.decide(request(BILLING, "/v1/invoices"))
    asked.decide(request(path="/open"))
    assert (asked.counted("decisions", result="same"), asked.counted("decisions", result="other_rules")) == (1, 1)
    assert asked.counted("decisions", result="differs") == 0


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), KeyError("k")])
@pytest.mark.parametrize("path", ["/open", "/other"])
def test_whatever_the_next_policy_fails_at_the_decision_stays(
    made: Callable[[str], PolicySet],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    path: str,
) -> None:
    def failing(_: PolicySet, __: Request) -> Decision:
        raise error

    asked = Asked(made(POLICY), made(NEXT))
    monkeypatch.setattr(comparison_module, "evaluate", failing)
    assert asked.decide(request(path=path)).permitted is (path == "/open")
    assert asked.entry.following is not None
    assert asked.entry.following.reason is Reason.INTERNAL_ERROR
    assert messages(caplog) == ["asking the shadow policy failed, nothing else is affected"]


def test_without_a_next_policy_nothing_is_compared(made: Callable[[str], PolicySet]) -> None:
    asked = Asked(made(POLICY), None)
    asked.decide(request(path="/open"))
    assert asked.entry.following is None
    assert sum(asked.counted("decisions", result=word) for word in ("same", "other_rules", "differs")) == 0


def test_a_request_that_is_judged_once_more_is_not_compared_again(made: Callable[[str], PolicySet]) -> None:
    policy = made(POLICY)
    asked = Asked(policy, made(NEXT))
    asked.judge.decide(policy, request(path="/open"))
    assert asked.entry.following is None


def test_the_next_policy_is_shown_the_headers_that_only_it_names(made: Callable[[str], PolicySet]) -> None:
    asked = Asked(made(POLICY), made(BY_HEADER))
    seen = request(BILLING, "/v1/invoices")
    with_header = seen._replace(headers={"x-stage": ("new",)}, time=0.0)
    verdict = asked.decide(seen, lambda policy: with_header if "x-stage" in policy.condition_headers else seen)
    assert verdict.permitted
    assert asked.entry.following is not None
    assert asked.entry.following.rules == ("staged",)
    assert asked.entry.request == seen._replace(headers={"x-stage": ("new",)}), "judged at one and the same time"


def test_what_cannot_be_read_for_the_next_policy_is_malformed_for_it_alone(made: Callable[[str], PolicySet]) -> None:
    def malformed(_: PolicySet) -> Request:
        raise MalformedQuestionError("Connection lists x-stage, by which requests are judged")

    asked = Asked(made(POLICY), made(BY_HEADER))
    assert asked.decide(request(BILLING, "/v1/invoices"), malformed).permitted
    assert asked.entry.following is not None
    assert asked.entry.following.reason is Reason.REQUEST_MALFORMED


def test_an_adapter_reads_again_only_a_request_with_a_header_that_the_next_policy_names(
    made: Callable[[str], PolicySet],
) -> None:
    reads: list[PolicySet | None] = []
    names: list[str] = []

    def read(policy: PolicySet | None) -> Received:
        reads.append(policy)
        return Received(request(BILLING, "/v1/invoices"), tuple(names), "", None)

    current, by_header = made(POLICY), made(BY_HEADER)
    for following, sent, expected in (
        (made(NEXT), "x-stage", [current]),
        (by_header, "x-other", [current]),
        (by_header, "x-stage", [current, by_header]),
    ):
        reads.clear()
        names[:] = [sent]
        Checks(Asked(current, following).judge, PresentedReader()).verdict(read)
        assert reads == expected


@pytest.mark.parametrize("text", [NEXT, BY_HEADER])
@pytest.mark.parametrize("peer", [BILLING, STRANGER])
@pytest.mark.parametrize("path", ["/open", "/v1/invoices", "/a/../b"])
def test_a_record_replayed_by_the_next_policy_gives_what_it_says_of_it(
    made: Callable[[str], PolicySet], text: str, peer: Presented, path: str
) -> None:
    following = made(text)
    asked = Asked(made(POLICY), following)
    seen = request(peer, path)
    asked.decide(seen, lambda _: seen._replace(headers={"x-stage": ("new",)}))
    line = json.loads(
        RecordLines().line(
            asked.entry.decision,
            asked.entry.request,
            decision_id="00",
            enforcement="extauth",
            time=seen.time,
            latency=0,
            labels={},
            following=asked.entry.following,
        )
    )
    said = line["next"] or line
    again = Replay(following, lambda: seen.time).answer(json.dumps(line).encode())
    assert (again["effect"], again["reason"], again["rules"]) == (said["effect"], said["reason"], said["rules"])


def generations(running: Service) -> set[str | None]:
    return {worker["shadow_generation"] for worker in running.readiness()[1]["workers"]}


def notices(running: Service) -> list[str]:
    return [notice for notice in running.readiness()[1]["notices"] if notice.startswith("--shadow-policy")]


def test_two_workers_compare_and_the_next_policys_problems_touch_nothing(tmp_path: Path) -> None:
    policy = write_policy(tmp_path / "policy")
    following = write_policy(tmp_path / "next", BROKEN)
    with service(tmp_path, policy, f"shadow_policy={following.parent}", "workers=2") as running:
        refused = f"--shadow-policy: it has problems, nothing is compared: {following}:4:8: wrong_type: "
        eventually(lambda: [notice.startswith(refused) for notice in notices(running)] == [True])
        code, body = running.readiness()
        assert (code, body["state"], body["problems"]) == (200, "serving", [])
        assert running.get()[0] == 200
        assert running.metric("peergate_policy_loads_total", result="failure") == 0
        assert running.metric("peergate_shadow_policy_loads_total", result="failure") == 2
        assert running.metric("peergate_shadow_policy_last_load_failed") == 1
        assert running.metric("peergate_shadow_policy_decisions_total") == 0
        replace_file(following, NEXT)
        eventually(lambda: len(generations(running)) == 1 and None not in generations(running))
        assert {running.get()[0] for _ in range(10)} == {200}
        assert running.metric("peergate_shadow_policy_differences_total", next_reason="denied_by_rule") == 10
        assert running.metric("peergate_shadow_policy_decisions_total", result="differs") == 10
        eventually(lambda: len(running.records()) == 11)
        (generation,) = generations(running)
        said = {"generation": generation, "effect": "deny", "reason": "denied_by_rule", "rules": ["nobody"]}
        assert [record.get("next") for record in running.records()] == [None, *[said] * 10]
        replace_file(following, BROKEN)
        eventually(lambda: ["is compared on" in notice for notice in notices(running)] == [True])
        assert generations(running) == {generation}
