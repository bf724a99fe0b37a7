"""Tests decide through the one engine, and say what they did not reach."""

import pytest

from peergate.stand_ins import StandIns
from policies.authoring.suite import suite_from_bytes
from policies.authoring.testing import Report, report_from_suites
from policies.engine.policy_set import PolicySet
from policies.reason import Reason
from tests.authoring.policies import NOW, SURROUNDINGS, policy_from_text

HEAD = """version: 1
callers:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
defaults: {host: invoices.prod.svc, time: 2026-03-04T12:00:00Z}
tests:
"""


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text()


def report(policy: PolicySet, *tests: str) -> Report:
    text = HEAD + "".join(f"  - {test}\n" for test in tests)
    maker = StandIns(policy.trust)
    suite, problems = suite_from_bytes("a.test.yaml", text.encode(), policy, SURROUNDINGS, maker, NOW.timestamp())
    assert suite is not None, problems
    return report_from_suites(policy.with_trust(maker.trust()), [suite])


def test_a_request_that_is_decided_as_expected_passes(policy: PolicySet) -> None:
    found = report(policy, "{as: billing, request: GET /v1/invoices, expect: allow by billing-reads}")
    assert found.passed
    assert found.failures == ()


@pytest.mark.parametrize(
    "expect", ["deny", "deny because no_matching_rule", "allow by own-files", "allow by billing-reads, own-files"]
)
def test_a_request_that_is_decided_otherwise_fails(policy: PolicySet, expect: str) -> None:
    found = report(policy, f"{{as: billing, request: GET /v1/invoices, expect: '{expect}'}}")
    assert not found.passed
    assert [result.decision.reason for result in found.failures] == [Reason.ALLOWED_BY_RULE]


def test_another_reason_than_the_expected_one_fails(policy: PolicySet) -> None:
    found = report(policy, "{as: billing, request: GET /x, expect: deny because no_certificate}")
    assert len(found.failures) == 1


def test_a_rule_that_decided_is_reached(policy: PolicySet) -> None:
    found = report(policy, "{as: billing, request: GET /v1/invoices, expect: allow}")
    assert found.rules.reached == {"billing-reads"}
    assert found.rules.unreached == ("billing-posts", "closing", "own-files", "pci-only")


def test_a_shadow_rule_that_would_decide_is_reached(policy: PolicySet) -> None:
    found = report(policy, "{as: billing, time: 2026-07-01T00:00:00Z, request: GET /v1/invoices, expect: allow}")
    assert found.rules.reached == {"billing-reads", "closing"}


def test_nothing_to_test_is_no_pass(policy: PolicySet) -> None:
    assert not report_from_suites(policy, []).passed
