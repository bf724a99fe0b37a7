"""Readiness names the rules that need more than a proxy shows."""

import pytest

from runtime.hidden_facts import ShownFacts, hidden_fact_notices
from tests.extauth.world import policy, policy_of

LITTLE = ShownFacts("over HTTP", frozenset({"host"}), sni=False, no_address="no address is shown")
HEAD = "version: 1\ntrust: {mesh: {anchors: [root.pem]}}\nzones: {office: [10.0.0.0/8]}\n"


def test_rules_are_named_with_the_fact_that_is_missing() -> None:
    assert hidden_fact_notices(policy(), LITTLE) == (
        "over HTTP content-type is not shown (--seen-headers); needed by posts",
        "over HTTP no address is shown; needed by office",
        "over HTTP x-ring is not shown (--seen-headers); needed by beta",
    )


def test_nothing_is_said_if_everything_is_shown() -> None:
    assert hidden_fact_notices(policy(), ShownFacts("here")) == ()


@pytest.mark.parametrize(
    ("rule", "notice"),
    [
        ("{id: a, allow: authenticated, to: any, when: {sni: a.example}}", "the SNI is never shown; needed by a"),
        ("{id: a, deny: anyone, not_from: office, to: any}", "no address is shown"),
    ],
)
def test_facts_of_the_connection_are_noticed_too(rule: str, notice: str) -> None:
    (said,) = hidden_fact_notices(policy_of(f"{HEAD}rules: [{rule}]\n"), LITTLE)
    assert notice in said


def test_a_strict_sni_denies_everything_over_http_and_is_said() -> None:
    strict = policy_of(f"{HEAD}strict_sni: true\nrules: [{{id: a, allow: authenticated, to: any}}]\n")
    assert "strict_sni" in hidden_fact_notices(strict, LITTLE)[0]


def test_many_rules_are_counted() -> None:
    rules = "".join(
        f"  - {{id: r{number}, allow: authenticated, to: {{paths: [/a], headers: {{x-ring: [a]}}}}}}\n"
        for number in range(8)
    )
    (said,) = hidden_fact_notices(policy_of(f"{HEAD}rules:\n{rules}"), LITTLE)
    assert said.endswith("needed by r0, r1, r2, r3, r4 and 3 more")
