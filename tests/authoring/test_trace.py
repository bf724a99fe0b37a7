"""A trace says which conditions of which rules failed, and which rule was nearest."""

from typing import Any

import pytest

from policies.authoring import trace as module
from policies.authoring.claim import Claim, asserted_from_claim
from policies.authoring.trace import Trace, trace_from_decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented
from tests.authoring.policies import NOW, POLICY, policy_from_text

SPIFFE = "spiffe://acme.internal"
BILLING = f"{SPIFFE}/ns/prod/sa/billing"


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text()


def traced(policy: PolicySet, uri: str = BILLING, peer: Presented | None = None, **said: Any) -> Trace:
    facts: dict[str, Any] = {
        "peer": asserted_from_claim(Claim(uri=(uri,)), policy.trust) if peer is None else peer,
        "method": "POST",
        "target": "/v1/invoices/1",
        "host": "invoices.prod.svc",
        "headers": {},
        "seen_headers": None,
        "source_ip": None,
        "sni": UNREPORTED,
        "time": NOW.timestamp(),
    }
    request = Request(**{**facts, **said})
    return trace_from_decision(policy, request, evaluate(policy, request))


def missing(trace: Trace) -> dict[str, list[tuple[str, str]]]:
    return {rule.id: [(item.what, item.wanted) for item in rule.missing] for rule in trace.rules}


def test_the_nearest_rule_lacks_one_condition(policy: PolicySet) -> None:
    nearest = traced(policy).nearest
    assert nearest is not None
    assert (nearest.id, [(item.what, item.wanted) for item in nearest.missing]) == (
        "billing-reads",
        [("method", "`GET`")],
    )


def test_it_would_match_if_that_condition_held(policy: PolicySet) -> None:
    assert "billing-reads" not in missing(traced(policy, method="GET"))


def test_every_rule_about_the_caller_or_the_route_has_its_failed_conditions_in_order(policy: PolicySet) -> None:
    found = missing(traced(policy))
    assert found == {
        "billing-reads": [("method", "`GET`")],
        "closing": [("method", "`GET`"), ("time or server name", "as `when` asks")],
        "billing-posts": [
            ("host", "`ledger.prod.svc`"),
            ("path", "`/acme.Ledger/Post`"),
            ("content type", "`application/grpc`"),
        ],
        "pci-only": [("host", "`ledger.prod.svc`"), ("path", "`/acme.Ledger/Post`")],
    }


def test_the_rules_with_the_fewest_failed_conditions_come_first(policy: PolicySet) -> None:
    counts = [len(rule.missing) for rule in traced(policy).rules]
    assert counts == sorted(counts)


def test_names_that_differ_are_a_condition(policy: PolicySet) -> None:
    asked: dict[str, Any] = {"method": "GET", "host": "files.prod.svc", "target": "/tenants/b/x"}
    trace = traced(policy, f"{SPIFFE}/tenant/a", **asked)
    assert missing(trace)["own-files"] == [("bound name", "equal on both sides")]
    assert "own-files" not in missing(traced(policy, f"{SPIFFE}/tenant/b", **asked))


def test_another_caller_is_told_whom_the_rule_names(policy: PolicySet) -> None:
    trace = traced(policy, f"{SPIFFE}/ns/prod/sa/other", method="GET")
    assert missing(trace)["billing-reads"] == [("caller", "`billing`")]
    assert missing(traced(policy, peer=NO_CERTIFICATE, method="GET"))["billing-reads"] == [("caller", "`billing`")]


def test_an_unknown_fact_stands_in_the_way_of_an_allow_only() -> None:
    rule = "{{id: r, {}: billing, to: invoices, from: pci}}"
    head = POLICY.partition("rules:")[0]
    allow = policy_from_text(f"{head}rules:\n  - {rule.format('allow')}\n")
    deny = policy_from_text(f"{head}rules:\n  - {rule.format('deny')}\n")
    assert missing(traced(allow, method="GET")) == {"r": [("source address", "as `from` and `not_from` ask")]}
    assert missing(traced(deny, method="GET")) == {}


@pytest.mark.parametrize("said", [{"target": "/a/../b"}, {"host": ""}, {"peer": MalformedCertificate("x")}])
def test_a_request_that_is_refused_before_any_rule_has_no_trace(policy: PolicySet, said: dict[str, Any]) -> None:
    assert traced(policy, **said) == Trace()


def test_an_allowed_request_has_no_nearest_rule(policy: PolicySet) -> None:
    assert traced(policy, method="GET").nearest is None


def test_what_is_left_out_is_counted(policy: PolicySet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TRACED_RULES", 1)
    trace = traced(policy)
    assert ([rule.id for rule in trace.rules], trace.left_out) == (["billing-reads"], 3)
