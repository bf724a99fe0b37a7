"""The one place of verdicts: laws 2, 4, 5 and 10 as every adapter gets them."""

import re
from pathlib import Path
from time import perf_counter

import pytest

from policies.engine.decision import Decision
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from policies.reason import Effect, Reason
from runtime import judge as judge_module
from runtime.decision_log import DecisionLog, Entry
from runtime.judge import FixedPolicy, Judge, Judgement
from runtime.metrics import Metrics
from tests.runtime.said import messages
from tests.runtime.world import BILLING, policy_set, request


class Memory(DecisionLog):
    """A decision log that only remembers what it was told."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)


@pytest.fixture
def policy(tmp_path: Path) -> PolicySet:
    return policy_set(tmp_path)


def judge(policy: PolicySet | None, log: DecisionLog | None = None, *, observe: bool = False) -> Judge:
    return Judge(FixedPolicy(policy), Metrics(), log, Enforcement.EXTAUTH, observe=observe)


def counted(metrics: Metrics, reason: Reason, effect: Effect) -> float | None:
    labels = {"effect": effect.value, "reason": reason.value, "enforcement": "extauth"}
    return metrics.registry.get_sample_value("peergate_decisions_total", labels)


def reason_and_permission(judgement: Judgement) -> tuple[Reason, bool]:
    return judgement.decision.reason, judgement.permitted


def test_an_allowed_request_is_permitted(policy: PolicySet) -> None:
    verdict = judge(policy).decide(policy, request(BILLING, "/v1/invoices"))
    assert reason_and_permission(verdict) == (Reason.ALLOWED_BY_RULE, True)
    assert verdict.decision.generation == policy.generation
    assert re.fullmatch("[0-9a-f]{32}", verdict.decision_id)


def test_a_denied_request_is_not_permitted(policy: PolicySet) -> None:
    verdict = judge(policy).decide(policy, request(BILLING, "/v1/other"))
    assert reason_and_permission(verdict) == (Reason.NO_MATCHING_RULE, False)


def test_law_4_without_a_policy_everything_is_denied() -> None:
    verdict = judge(None).decide(None, request())
    assert reason_and_permission(verdict) == (Reason.POLICY_UNAVAILABLE, False)
    assert verdict.decision.generation == ""


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), KeyError("k"), AssertionError()])
def test_law_2_whatever_evaluate_raises_is_a_denial(
    policy: PolicySet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def failing(_: PolicySet, __: Request) -> Decision:
        raise error

    monkeypatch.setattr(judge_module, "evaluate", failing)
    verdict = judge(policy).decide(policy, request())
    assert reason_and_permission(verdict) == (Reason.INTERNAL_ERROR, False)
    assert verdict.decision.effect is Effect.DENY
    assert messages(caplog) == ["deciding failed, the request is denied"]


def test_an_error_that_repeats_does_not_flood_the_log(
    policy: PolicySet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(judge_module, "evaluate", None)
    asked = judge(policy)
    for _ in range(100):
        assert not asked.decide(policy, request()).permitted
    assert len(caplog.records) == 1


def test_what_ends_a_process_is_not_swallowed(policy: PolicySet, monkeypatch: pytest.MonkeyPatch) -> None:
    def ending(_: PolicySet, __: Request) -> Decision:
        raise SystemExit

    monkeypatch.setattr(judge_module, "evaluate", ending)
    with pytest.raises(SystemExit):
        judge(policy).decide(policy, request())


def test_law_5_the_policy_that_is_handed_in_decides_even_if_another_is_in_force(
    policy: PolicySet, tmp_path: Path
) -> None:
    other = policy_set(tmp_path, "version: 1\nrules: [{id: nobody, deny: anyone, to: any}]\n")
    verdict = judge(other).decide(policy, request(BILLING, "/v1/invoices"))
    assert verdict.decision.generation == policy.generation
    assert verdict.permitted


@pytest.mark.parametrize("reason", [Reason.REQUEST_MALFORMED, Reason.INTERNAL_ERROR, Reason.ALLOWED_BY_RULE])
def test_a_refusal_is_a_denial_for_whatever_reason(policy: PolicySet, reason: Reason) -> None:
    verdict = judge(policy).refuse("no host", reason=reason)
    assert reason_and_permission(verdict) == (reason, False)
    assert verdict.decision.problems == ("no host",)
    assert verdict.decision.generation == policy.generation


def test_a_refusal_without_a_policy_says_that_first() -> None:
    assert judge(None).refuse("no host").decision.reason is Reason.POLICY_UNAVAILABLE


def test_observe_permits_everything_and_changes_no_decision(policy: PolicySet) -> None:
    observing = judge(policy, observe=True)
    denied = observing.decide(policy, request(BILLING, "/v1/other"))
    assert (denied.decision.effect, denied.permitted) == (Effect.DENY, True)
    assert observing.refuse("no host").permitted
    assert observing.decide(None, request()).permitted


def test_law_10_every_verdict_is_counted_and_recorded(policy: PolicySet) -> None:
    log, metrics = Memory(), Metrics()
    asked = Judge(FixedPolicy(policy), metrics, log, Enforcement.EXTAUTH)
    verdicts = [
        asked.decide(policy, request(BILLING, "/v1/invoices")),
        asked.decide(policy, request(BILLING, "/v1/other")),
        asked.decide(None, request()),
        asked.refuse("no host"),
    ]
    assert [entry.decision_id for entry in log.entries] == [verdict.decision_id for verdict in verdicts]
    assert len({verdict.decision_id for verdict in verdicts}) == 4
    assert counted(metrics, Reason.ALLOWED_BY_RULE, Effect.ALLOW) == 1
    assert counted(metrics, Reason.NO_MATCHING_RULE, Effect.DENY) == 1
    assert counted(metrics, Reason.POLICY_UNAVAILABLE, Effect.DENY) == 1
    assert counted(metrics, Reason.REQUEST_MALFORMED, Effect.DENY) == 1
    labels = {"enforcement": "extauth"}
    assert metrics.registry.get_sample_value("peergate_decision_latency_seconds_count", labels) == 4


def test_latency_counts_from_the_receipt_that_the_adapter_names(policy: PolicySet) -> None:
    log = Memory()
    judge(policy, log).decide(policy, request(), started=perf_counter() - 1, trace_id="4bf92f")
    assert 1 <= log.entries[0].latency < 2
    assert log.entries[0].trace_id == "4bf92f"
