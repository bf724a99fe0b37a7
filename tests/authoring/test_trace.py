"""A trace says which conditions of which rules failed, and which rule was nearest."""

from ipaddress import ip_address
from typing import Any

import pytest

from policies.authoring import trace as module
from policies.authoring.claim import Claim, asserted_from_claim
from policies.authoring.trace import Missing, Trace, trace_from_decision
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
    assert missing(traced(allow, method="GET")) == {"r": [("source address", "in 10.20.0.0/16")]}
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


def traced_rule(rule: str, peer: Presented | None = None, **said: Any) -> Trace:
    head = POLICY.partition("rules:")[0]
    return traced(policy_from_text(f"{head}rules:\n  - {rule}\n"), peer=peer, method="GET", **said)


@pytest.mark.parametrize(
    ("callers", "wanted"),
    [
        ("unauthenticated", "`unauthenticated` (one without a certificate)"),
        ("[partner, unauthenticated]", "`partner` or `unauthenticated` (one without a certificate)"),
    ],
)
def test_a_caller_with_a_certificate_lacks_being_unauthenticated_and_that_is_said_in_words(
    callers: str, wanted: str
) -> None:
    assert missing(traced_rule(f"{{id: r, allow: {callers}, to: invoices}}")) == {"r": [("caller", wanted)]}


def test_a_caller_without_a_certificate_lacks_being_authenticated_and_that_is_said_in_words() -> None:
    trace = traced_rule("{id: r, allow: authenticated, to: invoices}", NO_CERTIFICATE)
    wanted = "`authenticated` (one with a certificate that a trust entry vouches for)"
    assert missing(trace) == {"r": [("caller", wanted)]}


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("from: pci", "in 10.20.0.0/16"),
        ("from: [pci, 192.0.2.7]", "in 10.20.0.0/16 or 192.0.2.7/32"),
        ("not_from: 10.0.0.0/8", "outside 10.0.0.0/8"),
        ("from: pci, not_from: 10.20.1.0/24", "in 10.20.0.0/16 and outside 10.20.1.0/24"),
        (f"from: [{', '.join(f'192.0.2.{n}' for n in range(9))}]", "192.0.2.5/32 or 3 more"),
    ],
)
def test_a_rule_with_from_says_which_networks_it_asks_for(condition: str, wanted: str) -> None:
    (rule,) = traced_rule(f"{{id: r, allow: billing, to: invoices, {condition}}}").rules
    assert [(item.what, item.known) for item in rule.missing] == [("source address", False)]
    assert rule.missing[0].wanted.endswith(wanted)


@pytest.mark.parametrize("source", ["10.99.0.1", "2001:db8::1"])
def test_a_source_address_that_is_known_and_elsewhere_is_not_called_unknown(source: str) -> None:
    (rule,) = traced_rule("{id: r, allow: billing, to: invoices, from: pci}", source_ip=ip_address(source)).rules
    assert rule.missing == (Missing("source address", "in 10.20.0.0/16"),)


@pytest.mark.parametrize(("sni", "known"), [(UNREPORTED, False), (None, True), ("other.example", True)])
def test_a_server_name_that_was_not_told_is_unknown(sni: Any, known: bool) -> None:
    (rule,) = traced_rule("{id: r, allow: billing, to: invoices, when: {sni: invoices.prod.svc}}", sni=sni).rules
    assert rule.missing == (Missing("time or server name", "as `when` asks", known=known),)


def test_a_rule_to_which_one_fact_is_unknown_is_nearer_than_one_that_does_not_match() -> None:
    head = POLICY.partition("rules:")[0]
    past = "{id: a, allow: billing, to: invoices, when: {before: 2000-01-01T00:00:00Z}}"
    here = "{id: b, allow: billing, to: invoices, from: pci}"
    nearest = traced(policy_from_text(f"{head}rules: [{past}, {here}]\n"), method="GET").nearest
    assert nearest is not None
    assert nearest.id == "b"
