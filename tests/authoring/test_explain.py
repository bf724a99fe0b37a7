"""An explanation says what a decision was made of, in words."""

from dataclasses import replace
from typing import Any

import pytest

from policies.authoring.claim import Claim, asserted_from_claim
from policies.authoring.explain import Explanation, explanation_from_decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented, presented_from_der
from policies.reason import Reason
from tests.authoring.policies import MESH, NOW, POLICY, policy_from_text

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text()


def explained(policy: PolicySet, peer: Presented | None = None, **said: Any) -> Explanation:
    facts: dict[str, Any] = {
        "peer": asserted_from_claim(Claim(uri=(BILLING,)), policy.trust) if peer is None else peer,
        "method": "GET",
        "target": "/v1/invoices/%41?page=2",
        "host": "Invoices.prod.svc:443",
        "headers": {},
        "seen_headers": None,
        "source_ip": None,
        "sni": UNREPORTED,
        "time": NOW.timestamp(),
    }
    request = Request(**{**facts, **said})
    return explanation_from_decision(policy, request, evaluate(policy, request))


def test_an_allow_names_its_rule(policy: PolicySet) -> None:
    assert explained(policy).verdict == "Allowed by rule billing-reads."


def test_host_and_path_are_canonical(policy: PolicySet) -> None:
    found = explained(policy)
    assert (found.host, found.path) == ("invoices.prod.svc", "/v1/invoices/A")


def test_rules_come_with_description_and_labels(policy: PolicySet) -> None:
    (rule,) = explained(policy).rules
    assert (rule.id, rule.effect, rule.decided) == ("billing-reads", "allow", True)
    assert (rule.description, rule.labels) == ("Billing reads invoices.", (("team", "money"),))


def test_a_denial_by_several_rules_names_them_all() -> None:
    two = policy_from_text(f"{POLICY}  - {{id: closed, deny: anyone, to: ledger}}\n")
    found = explained(two, host="ledger.prod.svc", target="/acme.Ledger/Post")
    assert found.verdict == "Denied by rules closed and pci-only."


def test_no_rule_names_who_asked_for_what(policy: PolicySet) -> None:
    assert explained(policy, target="/v2").verdict == "Denied: no rule allows billing to GET invoices.prod.svc/v2."


def test_a_caller_that_no_identity_matches_is_told_to_compare_names(policy: PolicySet) -> None:
    stranger = asserted_from_claim(Claim(uri=("spiffe://acme.internal/x",)), policy.trust)
    found = explained(policy, stranger)
    assert found.verdict == "Denied: no rule allows this caller to GET invoices.prod.svc/v1/invoices/A."
    assert "no identity of the policy matches" in found.advice


def test_no_certificate_says_so(policy: PolicySet) -> None:
    found = explained(policy, NO_CERTIFICATE)
    assert found.verdict == "Denied: no rule allows GET invoices.prod.svc/v1/invoices/A without a certificate."
    assert found.caller == ("no certificate",)


def test_an_unknown_fact_is_named_as_what_to_find_out(policy: PolicySet) -> None:
    found = explained(policy, host="ledger.prod.svc", target="/acme.Ledger/Post", method="POST")
    assert "(source address)" in found.advice


def test_a_refused_certificate_says_what_is_wrong_with_it(policy: PolicySet) -> None:
    found = explained(policy, MalformedCertificate("no PEM block"))
    assert found.verdict == "Denied: what the caller presented is not one readable certificate (no PEM block)."


def test_a_refused_path_has_no_canonical_form(policy: PolicySet) -> None:
    found = explained(policy, target="/v1/../x")
    assert (found.host, found.path) == (None, None)
    assert found.verdict.startswith("Denied: two programs could read the path in two ways (")


def test_a_presented_certificate_shows_its_names_and_counts_as_checked(policy: PolicySet) -> None:
    found = explained(policy, presented_from_der(MESH.issue(uri=[BILLING], subject="CN=billing").der))
    assert found.caller == (f"uri {BILLING}", "subject CN=billing", "issuer CN=mesh root")
    assert not found.asserted


def test_an_asserted_caller_is_marked(policy: PolicySet) -> None:
    assert explained(policy).asserted


def test_a_shadow_decision_is_told_with_its_rules(policy: PolicySet) -> None:
    found = explained(policy, time=NOW.timestamp() + 200 * 86400)
    assert found.shadow == "with shadow rules enforced: denied by rule closing"
    assert [(rule.id, rule.decided) for rule in found.rules] == [("billing-reads", True), ("closing", False)]


def test_headers_that_contradict_each_other_are_named() -> None:
    text = f'{POLICY}  - {{id: other, allow: tenant, to: files, set_headers: {{x-tenant: "fixed"}}}}\n'
    policy = policy_from_text(text)
    tenant = asserted_from_claim(Claim(uri=("spiffe://acme.internal/tenant/x",)), policy.trust)
    found = explained(policy, tenant, host="files.prod.svc", target="/tenants/x/a")
    assert (
        found.verdict
        == "Denied by rules other and own-files: rules other and own-files set x-tenant to different values."
    )


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.ALLOWED_BY_RULE}))
def test_every_reason_to_deny_has_words(policy: PolicySet, reason: Reason) -> None:
    """`Reason` is closed, and so are the words for it."""
    request = Request(NO_CERTIFICATE, "GET", "/", "h", {}, None, None, UNREPORTED, 0)
    decision = replace(evaluate(policy, request), reason=reason, rules=("pci-only",))
    assert explanation_from_decision(policy, request, decision).verdict.startswith("Denied")
