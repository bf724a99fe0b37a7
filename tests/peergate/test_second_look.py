"""What is recorded of a decision inside Envoy: its verdict stays, whatever a second look comes to."""

import json
from typing import Any

import pytest

from extauth.native.records import NativeDecision, native_decision_from_line
from peergate.up.second_look import SecondLook
from policies.engine.policy_set import PolicySet
from policies.reason import Effect, Reason
from runtime.judge import FixedPolicy
from runtime.metrics import Metrics
from tests.extauth.native.test_told import told_line
from tests.extauth.native.world import TIME, policy_of

RULES = """\
rules:
  - {id: reads, allow: {uri: "spiffe://acme.internal/a"}, to: {paths: ["/v1/**"]}}
  - {id: lists, allow: authenticated, to: {paths: [/v1]}}
  - {id: later, deny: authenticated, to: {paths: [/v1/later]}, mode: shadow}
"""
POLICY = policy_of(RULES)
BEYOND = policy_of(RULES + "  - {id: acme, allow: {subject: {O: Acme}}, to: {paths: [/v1]}}\n")


def found(policy: PolicySet, decided: str, path: str, **others: Any) -> NativeDecision:
    line = {
        **told_line(),
        "id": "1",
        "time": f"{TIME + 60:.6f}",
        "decided": f"{decided}@{policy.generation}",
        "method": "GET",
        "host": "h.example",
        "path": path,
        "uri": "spiffe://acme.internal/a",
        "source": "127.0.0.1",
        **others,
    }
    return native_decision_from_line(json.dumps(line).encode(), lambda _generation, _issuer: ("mesh",))


def look(policy: PolicySet, following: PolicySet | None = None) -> tuple[SecondLook, Metrics]:
    metrics = Metrics()
    made = SecondLook(metrics, FixedPolicy(following))
    made.know(policy)
    return made, metrics


def test_every_rule_is_named_with_the_shadow() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v1"))
    assert (seen.whole, seen.decision.rules, seen.decision.shadow) == (True, ("lists", "reads"), None)
    later = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v1/later"))
    assert later.decision.shadow is not None
    assert (later.decision.effect, later.decision.shadow.rules) == (Effect.ALLOW, ("later",))


def test_the_verdict_of_envoy_stays_where_peergate_would_decide_otherwise_and_that_is_said() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v2"))
    assert (seen.whole, seen.decision.effect, seen.decision.rules) == (False, Effect.ALLOW, ("reads",))
    assert seen.decision.problems == ("peergate itself would decide no_matching_rule",)


def test_a_rule_that_peergate_does_not_see_match_stays_named() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:lists", "/v1/a"))
    assert (seen.whole, seen.decision.rules) == (False, ("lists",))
    assert seen.decision.problems == ("peergate itself would decide allowed_by_rule",)


def test_a_decision_of_an_unknown_generation_is_recorded_as_envoy_told_it() -> None:
    made, _ = look(POLICY)
    seen = made.seen(found(BEYOND, "allow:reads", "/v1"))
    assert (seen.whole, seen.decision.rules, seen.decision.problems) == (False, ("reads",), ())


def test_generations_are_forgotten_the_oldest_first() -> None:
    made, _ = look(POLICY)
    others = [policy_of(RULES.replace("/v2", f"/v{number}") + f"# {number}\n") for number in range(4)]
    for policy in others:
        made.know(policy)
    assert made.policy(POLICY.generation) is None
    assert made.policy(others[0].generation) is others[0]


def test_where_rules_ask_for_more_of_a_certificate_than_is_told_only_one_rule_is_named() -> None:
    seen = look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1", certificate=None))
    assert (seen.whole, seen.decision.rules) == (False, ("reads",))
    assert seen.decision.problems == (
        "only the rule that Envoy met first is named: Envoy does not tell the certificate",
    )
    unread = look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1", certificate="junk"))
    assert (unread.whole, unread.decision.rules) == (False, ("reads",))
    assert look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1")).decision.rules == ("lists", "reads")


def test_a_denial_by_no_rule_needs_no_word_of_other_rules() -> None:
    seen = look(BEYOND)[0].seen(found(BEYOND, "none:no_matching_rule", "/v2", certificate=None))
    assert (seen.whole, seen.decision.reason, seen.decision.problems) == (False, Reason.NO_MATCHING_RULE, ())


def counted(metrics: Metrics, result: str) -> float | None:
    labels = {"enforcement": "native", "result": result}
    return metrics.registry.get_sample_value("peergate_shadow_policy_decisions_total", labels)


def test_a_next_policy_that_fails_is_an_internal_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made, metrics = look(POLICY, BEYOND)

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("runtime.comparison.evaluate", fails)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a"))
    assert (seen.decision.effect, seen.decision.problems) == (Effect.ALLOW, ())
    assert seen.following is not None
    assert seen.following.reason is Reason.INTERNAL_ERROR
    assert counted(metrics, "differs") == 1


def test_an_unreadable_certificate_is_malformed_for_the_next_policy_as_it_is_for_extauth() -> None:
    made, metrics = look(POLICY, POLICY)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a", certificate="junk"))
    assert seen.following is not None
    assert seen.following.reason is Reason.CERTIFICATE_MALFORMED
    assert (seen.decision.rules, counted(metrics, "differs")) == (("reads",), 1)


def test_what_no_line_tells_is_counted_as_not_evaluated_and_nothing_is_guessed() -> None:
    made, metrics = look(POLICY, POLICY)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a", chain=None))
    assert seen.following is None
    assert seen.decision.problems == ("the next policy was not evaluated: Envoy does not tell the certificate",)
    assert (counted(metrics, "not_evaluated"), counted(metrics, "same")) == (1, 0)
