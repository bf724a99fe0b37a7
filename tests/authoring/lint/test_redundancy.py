"""Rules that decide nothing are found, and no other rule is said to be one."""

from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.authoring import limits
from policies.authoring.lint import redundancy
from policies.authoring.lint.finding import LintCode
from policies.authoring.lint.linting import findings_from_policy
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.language.load import load_policy
from tests.authoring.lint.linted import MESH_ID, findings
from tests.engine.callers import NoFiles
from tests.engine.test_laws import EXTRAS, LAW, REQUESTS, ROUTES, SELECTORS, RuleTuple

WEB = f'{{uri: "{MESH_ID}/web"}}'
ANY_SA = f'{{uri: "{MESH_ID}/*"}}'
READ = "{hosts: [shop.svc], methods: [GET], paths: [/a]}"
DECIDES_NOTHING = {LintCode.RULE_UNREACHABLE, LintCode.RULE_DENIED, LintCode.RULE_REDUNDANT, LintCode.RULE_DUPLICATE}


def found(*rules: str) -> list[tuple[str, str]]:
    """(code, id of the rule) of what decides nothing."""
    text = "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
    return [
        (str(finding.code), finding.message.split("`")[1])
        for finding in findings(text)
        if finding.code in DECIDES_NOTHING
    ]


def test_an_allow_that_a_deny_hits_in_whole_is_found() -> None:
    assert found(f"id: a, allow: {WEB}, to: {READ}", 'id: b, deny: anyone, to: {hosts: ["*.svc"]}') == [
        ("rule_denied", "a")
    ]


def test_an_allow_that_a_deny_hits_in_part_is_not() -> None:
    assert found(f"id: a, allow: {ANY_SA}, to: {READ}", f"id: b, deny: {WEB}, to: {READ}") == []


def test_a_shadow_deny_takes_nothing_away() -> None:
    assert found(f"id: a, allow: {WEB}, to: {READ}", "id: b, deny: anyone, to: any, mode: shadow") == []


@pytest.mark.parametrize(
    "wider",
    [
        f"allow: {ANY_SA}, to: {READ}",
        f"allow: authenticated, to: {READ}",
        f"allow: {{any: [{WEB}, {{dns: x.example}}]}}, to: {READ}",
        f"allow: {{not: {{dns: x.example}}}}, to: {READ}",
        f'allow: {WEB}, to: {{hosts: ["**.svc"], methods: [GET, PUT], paths: ["/*"]}}',
        f'allow: {WEB}, to: {{paths: [/b, "/**"]}}',
    ],
)
def test_an_allow_within_a_wider_one_is_found(wider: str) -> None:
    expected = [] if "not:" in wider else [("rule_redundant", "a")]
    assert found(f"id: a, allow: {WEB}, to: {READ}", f"id: b, {wider}") == expected


@pytest.mark.parametrize(
    "other",
    [
        f'allow: {{uri: "{MESH_ID}/web/*"}}, to: {READ}',
        f"allow: {{all: [{ANY_SA}, {{dns: x.example}}]}}, to: {READ}",
        f"allow: {WEB}, to: {{hosts: [shop.svc], methods: [HEAD], paths: [/a]}}",
        f"allow: {WEB}, to: {{hosts: ['*.shop.svc']}}",
        f"allow: {WEB}, to: {{hosts: [shop.svc], paths: [/a/]}}",
        f"allow: {WEB}, to: {{hosts: [shop.svc], paths: [/a], headers: {{x-a: [b]}}}}",
        f"allow: {WEB}, to: {READ}, from: 10.0.0.0/8, set_headers: {{x-a: b}}",
        f"allow: {WEB}, to: {READ}, when: {{before: 2030-01-01T00:00:00Z}}, set_headers: {{x-a: b}}",
        f"allow: unauthenticated, to: {READ}",
    ],
)
def test_an_allow_beside_another_is_not(other: str) -> None:
    assert found(f"id: a, allow: {WEB}, to: {READ}", f"id: b, {other}") == []


def test_the_narrower_network_and_time_are_within_the_wider() -> None:
    assert found(
        f"id: a, allow: {WEB}, to: {READ}, from: 10.1.0.0/16, when: {{before: 2030-01-01T00:00:00Z}}",
        f"id: b, allow: {WEB}, to: {READ}, from: 10.0.0.0/8, when: {{before: 2031-01-01T00:00:00Z}}",
    ) == [("rule_redundant", "a")]


def test_of_two_that_are_the_same_the_second_is_found() -> None:
    assert found(f"id: a, deny: {WEB}, to: {READ}", f"id: b, deny: {WEB}, to: {READ}") == [("rule_duplicate", "b")]


def test_a_rule_that_sets_headers_does_something() -> None:
    assert (
        found(f"id: a, allow: {WEB}, to: {READ}, set_headers: {{x-a: b}}", f"id: b, allow: {ANY_SA}, to: {READ}") == []
    )


def test_an_allow_from_nowhere_is_unreachable() -> None:
    assert found(f"id: a, allow: {WEB}, to: {READ}, from: 10.1.0.0/16, not_from: 10.0.0.0/8") == [
        ("rule_unreachable", "a")
    ]


def test_a_deny_from_nowhere_still_hits_unknown_addresses() -> None:
    assert found(f"id: a, deny: {WEB}, to: {READ}, from: 10.1.0.0/16, not_from: 10.0.0.0/8") == []


def test_what_is_not_compared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redundancy, "MAX_LINT_COMPARISONS", 0)
    text = f"rules:\n  - {{id: a, allow: {WEB}, to: {READ}}}\n  - {{id: b, allow: {WEB}, to: {READ}}}\n"
    assert [finding.code for finding in findings(text)] == [LintCode.LINT_INCOMPLETE]
    assert limits.MAX_LINT_COMPARISONS > 0


@lru_cache(maxsize=1)
def _surroundings() -> NoFiles:
    return NoFiles({"root.pem": Authority.root("mesh").pem})


def _files(rules: list[RuleTuple], *, without: str = "") -> dict[str, bytes]:
    lines = [
        f"  - {{id: r{number}, {effect}: {who}, to: {to}{extra}}}\n"
        for number, (effect, who, to, extra) in enumerate(rules)
        if f"r{number}" != without
    ]
    head = "version: 1\ntrust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"
    return {"p.yaml": f"{head}identities: {{n1: {{uri: 'spiffe://td/a'}}}}\nrules:\n{''.join(lines)}".encode()}


def _policy(files: dict[str, bytes]) -> PolicySet | None:
    return load_policy(files, _surroundings()).policy


SIMPLE = st.sampled_from(["authenticated", "n1", '{uri: "spiffe://td/*"}', '{uri: "spiffe://td/{t}"}', "{not: n1}"])
MANY_RULES = st.lists(
    st.tuples(st.sampled_from(["allow", "allow", "deny"]), st.one_of(SIMPLE, SELECTORS), ROUTES, EXTRAS),
    min_size=2,
    max_size=6,
)


@LAW
@given(MANY_RULES, st.lists(REQUESTS, min_size=8, max_size=16))
def test_without_a_rule_that_is_said_to_decide_nothing_every_verdict_is_the_same(
    rules: list[RuleTuple], asked: list[Request]
) -> None:
    files = _files(rules)
    policy = _policy(files)
    if policy is None:
        return
    for finding in findings_from_policy(policy, files, 0.0):
        if finding.code not in DECIDES_NOTHING:
            continue
        rule_id = finding.message.split("`")[1]
        rest = _policy(_files(rules, without=rule_id))
        for one in asked:
            decision = evaluate(policy, one)
            if finding.code in {LintCode.RULE_UNREACHABLE, LintCode.RULE_DENIED}:
                assert rule_id not in decision.rules
            if rest is not None:
                assert evaluate(rest, one).effect is decision.effect
