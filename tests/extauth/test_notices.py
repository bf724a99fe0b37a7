"""Readiness names the rules that need more than Envoy shows over HTTP."""

import pytest

from extauth.http_request import ALWAYS_SEEN
from extauth.notices import http_notices
from tests.extauth.world import policy, policy_of

HEAD = "version: 1\ntrust: {mesh: {anchors: [root.pem]}}\nzones: {office: [10.0.0.0/8]}\n"


def test_rules_are_named_with_the_fact_that_is_missing() -> None:
    assert http_notices(policy(), ALWAYS_SEEN) == (
        "over HTTP content-type is not shown (--seen-headers); needed by posts",
        "over HTTP x-forwarded-for is not shown (--seen-headers); needed by office",
        "over HTTP x-ring is not shown (--seen-headers); needed by beta",
    )


def test_nothing_is_said_if_everything_is_shown() -> None:
    assert http_notices(policy(), ALWAYS_SEEN | {"content-type", "x-forwarded-for", "x-ring"}) == ()


@pytest.mark.parametrize(
    ("rule", "notice"),
    [
        ("{id: a, allow: authenticated, to: any, when: {sni: a.example}}", "the SNI is never shown; needed by a"),
        ("{id: a, deny: anyone, not_from: office, to: any}", "x-forwarded-for is not shown"),
    ],
)
def test_facts_of_the_connection_are_noticed_too(rule: str, notice: str) -> None:
    (said,) = http_notices(policy_of(f"{HEAD}rules: [{rule}]\n"), ALWAYS_SEEN)
    assert notice in said


def test_a_strict_sni_denies_everything_over_http_and_is_said() -> None:
    strict = policy_of(f"{HEAD}strict_sni: true\nrules: [{{id: a, allow: authenticated, to: any}}]\n")
    assert "strict_sni" in http_notices(strict, ALWAYS_SEEN)[0]


def test_many_rules_are_counted() -> None:
    rules = "".join(
        f"  - {{id: r{number}, allow: authenticated, to: {{paths: [/a], headers: {{x-ring: [a]}}}}}}\n"
        for number in range(8)
    )
    (said,) = http_notices(policy_of(f"{HEAD}rules:\n{rules}"), ALWAYS_SEEN)
    assert said.endswith("needed by r0, r1, r2, r3, r4 and 3 more")
