"""A denied caller reads why and the decision's id, the same at every enforcement point, and nothing of the policy."""

import json

import pytest

from policies.engine.decision import Decision
from policies.reason import Effect, Reason
from runtime.denial import answer_from_denial
from runtime.judge import Judgement

DECISION_ID = "0" * 32


def answered(reason: Reason) -> tuple[int, dict[str, str], bytes]:
    decision = Decision(Effect.DENY, reason, ("r1",), ("a",), ("mesh",), {}, (), (), ("a secret",), None, "gen")
    status, headers, body = answer_from_denial(Judgement(decision, DECISION_ID, permitted=False))
    return status, dict(headers), body


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.ALLOWED_BY_RULE}))
def test_a_denial_is_403_except_for_a_wrong_sni(reason: Reason) -> None:
    status, _, _ = answered(reason)
    assert status == (421 if reason is Reason.SNI_MISMATCH else 403)


def test_body_and_headers_say_reason_and_decision_id() -> None:
    _, headers, body = answered(Reason.NO_MATCHING_RULE)
    assert json.loads(body) == {"error": "denied", "reason": "no_matching_rule", "decision_id": DECISION_ID}
    assert headers == {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-peergate-reason": "no_matching_rule",
        "x-peergate-decision-id": DECISION_ID,
    }


def test_nothing_of_the_policy_is_told() -> None:
    _, headers, body = answered(Reason.DENIED_BY_RULE)
    shown = body.decode() + "".join(headers.values())
    assert not any(secret in shown for secret in ("r1", "mesh", "secret", "gen"))
