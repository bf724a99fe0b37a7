"""No error permits, whatever fails on the way."""

import json
import logging

import pytest

from policies.engine.policy_set import PolicySet
from policies.reason import Reason
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.identity_headers import NO_CHANGES
from tests.extauth.world import Service, billing, policy, question, xfcc


def raising(error: Exception) -> Received:
    raise error


def test_what_is_malformed_is_denied_as_malformed() -> None:
    verdict = Service().checks.verdict(lambda _: raising(MalformedQuestionError("why")))
    assert verdict.judgement.decision.reason is Reason.REQUEST_MALFORMED
    assert verdict.judgement.decision.problems == ("why",)
    assert not verdict.judgement.permitted
    assert verdict.changes is NO_CHANGES


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyError("x"), RecursionError(), MemoryError()])
def test_an_unexpected_error_while_reading_is_denied_as_internal(error: Exception) -> None:
    verdict = Service().checks.verdict(lambda _: raising(error))
    assert verdict.judgement.decision.reason is Reason.INTERNAL_ERROR
    assert not verdict.judgement.permitted


def test_an_unexpected_error_is_said_in_the_log_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Service().checks.verdict(lambda _: raising(RuntimeError("bug")))
    assert "bug" in caplog.text


def test_an_error_while_evaluating_is_denied_as_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(policy: PolicySet, request: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("runtime.judge.evaluate", broken)
    answer = Service().answer(question(issued=billing()))
    assert answer.status.code == 7
    assert json.loads(answer.denied_response.body)["reason"] == "internal_error"


def test_the_policy_that_reads_is_the_policy_that_judges() -> None:
    """Law 5: it is read once."""
    read: list[PolicySet | None] = []

    def note(current: PolicySet | None) -> Received:
        read.append(current)
        raise MalformedQuestionError("enough")

    Service().checks.verdict(note)
    assert read == [policy()]


@pytest.mark.parametrize(
    "message",
    [b"", b"\xff\xff", b"\x0a\x00", question().SerializeToString(), question(issued=billing()).SerializeToString()],
    ids=["empty", "garbage", "no http", "no certificate", "allowed"],
)
@pytest.mark.parametrize("with_policy", [True, False])
@pytest.mark.parametrize("observe", [True, False])
def test_every_path_answers_with_a_status(message: bytes, *, with_policy: bool, observe: bool) -> None:
    service = Service(policy() if with_policy else None, observe=observe)
    answer = service.answer(message)
    assert answer.HasField("status")
    reason = answer.dynamic_metadata.fields["reason"].string_value
    assert (answer.status.code == 0) is (observe or reason == "allowed_by_rule")
    assert answer.WhichOneof("http_response") == ("ok_response" if answer.status.code == 0 else "denied_response")


def test_without_a_policy_everything_is_denied() -> None:
    answer = Service(None).answer(question(path="/healthz"))
    assert answer.denied_response.status.code == 403
    assert json.loads(answer.denied_response.body)["reason"] == "policy_unavailable"


def test_what_only_observing_permits_still_loses_its_claims() -> None:
    """Law 7 holds under --observe, also for a question that could not be read."""
    for message in (b"\xff\xff", question(headers={"x_peergate_identity": "admin"}).SerializeToString()):
        answer = Service(observe=True).answer(message)
        assert {"x-peergate-identity", "x-tenant", "x-forwarded-client-cert"} <= set(
            answer.ok_response.headers_to_remove
        )


def test_a_certificate_that_is_refused_gives_no_identity_to_the_upstream_under_observe() -> None:
    from pki.authority import Authority

    stranger = Authority.root("stranger").issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"])
    answer = Service(observe=True).answer(question(issued=stranger))
    told = {option.header.key for option in answer.ok_response.headers}
    assert answer.dynamic_metadata.fields["reason"].string_value == "certificate_untrusted"
    assert told == {"x-peergate-decision-id"}


def test_xfcc_of_the_calling_envoy_passes() -> None:
    answer = Service().answer(question(issued=billing(), headers={"x-forwarded-client-cert": xfcc(billing())}))
    assert answer.status.code == 0
    assert "x-forwarded-client-cert" not in answer.ok_response.headers_to_remove


@pytest.mark.parametrize(
    "value",
    [
        "Hash=" + "0" * 64,
        "URI=spiffe://acme.internal/ns/prod/sa/billing",
        "By=spiffe://a/b;Hash=x",
        "{xfcc},{xfcc}",
        "{xfcc};URI=spiffe://acme.internal/ns/prod/sa/admin",
        "{xfcc}!",
    ],
)
def test_any_other_xfcc_does_not_pass(value: str) -> None:
    """Law 7: one element for the judged certificate."""
    header = value.format(xfcc=xfcc(billing()))
    answer = Service().answer(question(issued=billing(), headers={"x-forwarded-client-cert": header}))
    assert answer.status.code == 0
    assert "x-forwarded-client-cert" in answer.ok_response.headers_to_remove


def test_a_callers_xfcc_does_not_pass_without_a_certificate() -> None:
    answer = Service().answer(question(path="/healthz", headers={"x-forwarded-client-cert": xfcc(billing())}))
    assert answer.status.code == 0
    assert "x-forwarded-client-cert" in answer.ok_response.headers_to_remove
