"""Every answer says whether it permits, denials say why and nothing more, and no code path leaves the status out."""

import ast
import json
from pathlib import Path

import pytest

import extauth
from extauth.response import response_from_verdict
from extauth.wire.messages import CheckResponse
from policies.engine.decision import Decision
from policies.reason import Effect, Reason
from runtime.check import Verdict
from runtime.judge import Judgement

DECISION_ID = "0" * 32


def verdict(reason: Reason, *, permitted: bool | None = None, headers: tuple[tuple[str, str], ...] = ()) -> Verdict:
    effect = Effect.ALLOW if reason is Reason.ALLOWED_BY_RULE else Effect.DENY
    decision = Decision(
        effect, reason, ("r1", "r2"), ("a", "b"), ("mesh",), {}, headers, (), ("a secret of the policy",), None, "gen"
    )
    return Verdict(Judgement(decision, DECISION_ID, effect is Effect.ALLOW if permitted is None else permitted))


def answered(judged: Verdict) -> CheckResponse:
    return CheckResponse.FromString(response_from_verdict(judged).SerializeToString())


def headers_of(answer: CheckResponse) -> dict[str, str]:
    options = (*answer.denied_response.headers, *answer.ok_response.headers)
    return {option.header.key: option.header.value for option in options}


@pytest.mark.parametrize("reason", Reason)
def test_every_answer_has_a_status_and_permits_only_what_is_allowed(reason: Reason) -> None:
    answer = answered(verdict(reason))
    assert answer.HasField("status")
    assert (answer.status.code == 0) is (reason is Reason.ALLOWED_BY_RULE)
    assert answer.HasField("ok_response") is (reason is Reason.ALLOWED_BY_RULE)


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.ALLOWED_BY_RULE}))
def test_a_denial_is_403_except_for_a_wrong_sni(reason: Reason) -> None:
    expected = 421 if reason is Reason.SNI_MISMATCH else 403
    assert answered(verdict(reason)).denied_response.status.code == expected


def test_a_denied_caller_reads_error_reason_and_decision_id() -> None:
    answer = answered(verdict(Reason.NO_MATCHING_RULE))
    assert json.loads(answer.denied_response.body) == {
        "error": "denied",
        "reason": "no_matching_rule",
        "decision_id": DECISION_ID,
    }
    assert headers_of(answer) == {
        "content-type": "application/json",
        "x-peergate-reason": "no_matching_rule",
        "x-peergate-decision-id": DECISION_ID,
    }


def test_a_denied_caller_learns_nothing_of_the_policy() -> None:
    shown = answered(verdict(Reason.DENIED_BY_RULE)).denied_response.SerializeToString()
    assert not any(secret in shown for secret in (b"r1", b"mesh", b"secret", b"gen"))


def test_headers_replace_what_the_client_sent_and_the_rest_is_removed() -> None:
    answer = answered(verdict(Reason.ALLOWED_BY_RULE, headers=(("x-a", "1"),)))
    assert headers_of(answer) == {"x-a": "1", "x-peergate-identity": "a,b", "x-peergate-decision-id": DECISION_ID}
    assert {option.append_action for option in answer.ok_response.headers} == {2}
    assert {"x-original-url", "x-peergate-spiffe-id"} <= set(answer.ok_response.headers_to_remove)
    assert headers_of(answer).keys().isdisjoint(answer.ok_response.headers_to_remove)


def test_what_is_observed_only_passes_with_its_changes() -> None:
    answer = answered(verdict(Reason.NO_MATCHING_RULE, permitted=True))
    assert answer.status.code == 0
    assert "x-forwarded-client-cert" in answer.ok_response.headers_to_remove


@pytest.mark.parametrize("reason", [Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE])
def test_metadata_tells_the_decision_to_access_logs_and_later_filters(reason: Reason) -> None:
    fields = answered(verdict(reason)).dynamic_metadata.fields
    assert {name: value.string_value for name, value in fields.items()} == {
        "decision_id": DECISION_ID,
        "effect": "allow" if reason is Reason.ALLOWED_BY_RULE else "deny",
        "reason": reason.value,
        "rules": "r1,r2",
        "identities": "a,b",
        "generation": "gen",
    }


def test_a_response_is_built_in_one_place() -> None:
    """An empty CheckResponse permits, so exactly one call makes one, and gives it a status."""
    calls = [
        (path.name, [keyword.arg for keyword in node.keywords])
        for path in Path(*extauth.__path__).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0] == "CheckResponse"
    ]
    assert calls == [("response.py", ["status"])]


def test_a_failure_half_way_leaves_a_denial() -> None:
    """What cannot be encoded raises before the status becomes OK; the server answers an error, and Envoy denies."""
    with pytest.raises(UnicodeEncodeError):
        response_from_verdict(verdict(Reason.ALLOWED_BY_RULE, headers=(("x-a", "\udcff"),)))
