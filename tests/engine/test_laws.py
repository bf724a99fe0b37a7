"""Laws of the decision over generated policies and requests."""

import random
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.authority import Authority
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.language.load import load_policy
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity, MalformedCertificate, Presented
from policies.reason import Effect, Reason
from tests.engine.callers import NoFiles, caller, request
from tests.engine.oracle import Oracle

SELECTORS = st.recursive(
    st.sampled_from(
        [
            '{uri: "spiffe://td/a"}',
            '{uri: "spiffe://td/*"}',
            '{uri: "spiffe://td/{t}"}',
            '{uri: ["spiffe://td/**", "urn:x"]}',
            '{dns: "*.x"}',
            '{dns: "{t}.x"}',
            '{dns: "{t}.x", uri: "spiffe://td/{t}"}',
            "{email: '*@m'}",
            "{ip_san: 10.0.0.0/8}",
            "{subject: {CN: a, O: [b, c]}}",
            "{issuer: 'CN=i'}",
            "{serial: a1}",
            f'{{fingerprint: "sha256:{"01" * 32}"}}',
            "{trust: mesh}",
            "authenticated",
            "unauthenticated",
            "n1",
        ]
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{any: [{', '.join(parts)}]}}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{all: [{', '.join(parts)}]}}"),
        inner.map(lambda part: f"{{not: {part}}}"),
    ),
    max_leaves=4,
)
ROUTES = st.sampled_from(
    [
        "any",
        "{hosts: [h]}",
        '{hosts: ["*.x"], methods: [GET]}',
        '{hosts: ["**.x", h], paths: ["/a", "/a/*"]}',
        '{paths: ["/{t}/**"]}',
        '{hosts: ["{t}.x"], paths: ["/{t}"]}',
        '{paths: ["/a/{u}"]}',
        "{headers: {x-h: [v]}, paths: [/a]}",
        "{grpc: [a.B/C, 'a.D/*']}",
        "{paths: [/, /a/]}",
    ]
)
EXTRAS = st.sampled_from(
    [
        "",
        "",
        "",
        ", from: 10.0.0.0/8",
        ", not_from: 10.1.0.0/16",
        ", when: {sni: ['*.x']}",
        ", when: {after: 2026-01-01T00:00:00Z}",
    ]
)
RULES = st.lists(
    st.tuples(st.sampled_from(["allow", "allow", "deny"]), SELECTORS, ROUTES, EXTRAS), min_size=1, max_size=6
)


def _facts(
    uri: tuple[str, ...], dns: list[str], email: tuple[str, ...], subject: str, unknown: set[str]
) -> IdentityFacts:
    facts = caller(uri, dns=dns, email=email, ip=["10.1.1.1"], subject=subject, issuer="CN=i").facts
    hidden: dict[str, Any] = dict.fromkeys(unknown)
    return replace(facts, **hidden)


FACTS = st.builds(
    _facts,
    st.sampled_from([(), ("spiffe://td/a",), ("spiffe://td/b",), ("spiffe://td/a/b",), ("urn:x",)]),
    st.lists(st.sampled_from(["a.x", "b.x", "A.X", "a.b.x"]), max_size=2, unique=True),
    st.sampled_from([(), ("q@m",)]),
    st.sampled_from(["", "CN=a,O=b", "CN=a"]),
    st.sets(st.sampled_from(["dns", "email", "serial", "subject", "cert_sha256", "ip", "issuer"]), max_size=2),
)
PEERS = st.one_of(st.just(NO_CERTIFICATE), FACTS.map(lambda facts: caller(facts=facts)))
REQUESTS = st.builds(
    lambda peer, target, host, method, headers, source, sni, seen: request(
        peer, target, host=host, method=method, headers=headers, source=source, sni=sni, seen=seen, time=1_790_000_000.0
    ),
    PEERS,
    st.sampled_from(["/", "/a", "/a/", "/b", "/a/b", "/b/a/c", "/a.B/C", "/a.D/x"]),
    st.sampled_from(["h", "a.x", "b.x", "a.b.x", "x"]),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.sampled_from([{}, {"x-h": ["v"]}, {"x-h": ["v", "v"]}, {"content-type": ["application/grpc"]}]),
    st.sampled_from(["10.0.0.1", "10.1.0.1", "9.9.9.9", None]),
    st.sampled_from(["a.x", "b", None, UNREPORTED]),
    st.sampled_from([None, None, ("content-type",)]),
)
RuleTuple = tuple[str, str, str, str]
LAW = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@lru_cache(maxsize=1)
def _files() -> Mapping[str, bytes]:
    return {"root.pem": Authority.root("mesh").pem}


def _text(rules: list[RuleTuple]) -> str:
    lines = [
        f"  - {{id: r{number}, {effect}: {who}, to: {to}{extra}}}"
        for number, (effect, who, to, extra) in enumerate(rules)
    ]
    return "\n".join(
        [
            "version: 1",
            "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}",
            "identities: {n1: {uri: 'spiffe://td/a'}}",
            "rules:",
            *lines,
        ]
    )


def _set_of(*texts: str) -> PolicySet | None:
    """The policy, or None where the generated rules are refused (bindings that do not tie, for one)."""
    files = {f"{number}.yaml": text.encode() for number, text in enumerate(texts)}
    return load_policy(files, NoFiles(_files())).policy


@LAW
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["allow", "allow", "deny"]),
            SELECTORS,
            ROUTES,
            EXTRAS | st.sampled_from([", mode: shadow", ", set_headers: {x-a: v}", ", set_headers: {x-a: w}"]),
        ),
        min_size=1,
        max_size=6,
    ),
    PEERS,
    st.lists(REQUESTS, min_size=2, max_size=12),
)
def test_a_policy_that_has_decided_before_decides_as_one_that_has_not(
    rules: list[RuleTuple], peer: Presented, asked: list[Request]
) -> None:
    policy = _set_of(_text(rules))
    if policy is None:
        return
    requests = [each._replace(peer=peer) for each in asked]
    fresh = {index: evaluate(_fresh(policy), each) for index, each in enumerate(requests)}
    for index, each in [*enumerate(requests), *enumerate(requests)]:
        assert evaluate(policy, each) == fresh[index]


def _fresh(policy: PolicySet) -> PolicySet:
    """The same policy, which has not seen any caller."""
    return PolicySet(
        identities=policy.identities,
        routes=policy.routes,
        rules=policy.rules,
        trust=policy.trust,
        strict_sni=policy.strict_sni,
        generation=policy.generation,
        content_sha256=policy.content_sha256,
    )


@LAW
@given(RULES, st.lists(REQUESTS, min_size=1, max_size=8))
def test_the_indexes_decide_as_every_rule_on_its_own_would(rules: list[RuleTuple], asked: list[Request]) -> None:
    policy = _set_of(_text(rules))
    if policy is None:
        return
    for one in asked:
        decision = evaluate(policy, one)
        assert (decision.effect, decision.rules) == Oracle(policy, one).verdict()


@LAW
@given(RULES, REQUESTS)
def test_law_1_a_matching_deny_wins(rules: list[RuleTuple], asked: Request) -> None:
    policy = _set_of(_text([*rules, ("deny", "anyone", "any", "")]))
    if policy is not None:
        decision = evaluate(policy, asked)
        assert decision.effect is Effect.DENY
        assert f"r{len(rules)}" in decision.rules


@LAW
@given(RULES, st.tuples(st.just("deny"), SELECTORS, ROUTES, EXTRAS), REQUESTS)
def test_law_1_adding_a_deny_never_allows(rules: list[RuleTuple], deny: RuleTuple, asked: Request) -> None:
    before, after = _set_of(_text(rules)), _set_of(_text([*rules, deny]))
    if before is not None and after is not None and evaluate(after, asked).allowed:
        assert evaluate(before, asked).allowed


@LAW
@given(RULES, REQUESTS, st.randoms(use_true_random=False))
def test_law_1_the_order_of_rules_and_files_never_matters(
    rules: list[RuleTuple], asked: Request, shuffle: random.Random
) -> None:
    whole = _text(rules)
    head, *lines = whole.split("\n  - ")
    shuffle.shuffle(lines)
    half = len(lines) // 2
    first = "\n  - ".join([head, *lines[half:]])
    second = "version: 1\nrules:\n  - " + "\n  - ".join(lines[:half])
    texts = [first, second] if half else [first]
    shuffle.shuffle(texts)
    one, other = _set_of(whole), _set_of(*texts)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert replace(evaluate(one, asked), generation="") == replace(evaluate(other, asked), generation="")


@LAW
@given(RULES, REQUESTS)
def test_law_2_an_unknown_fact_never_allows_what_some_value_of_it_would_deny(
    rules: list[RuleTuple], asked: Request
) -> None:
    policy = _set_of(_text(rules))
    if policy is None or not evaluate(policy, asked._replace(source_ip=None)).allowed:
        return
    for source in ("10.0.0.1", "10.1.0.1", "9.9.9.9"):
        assert evaluate(policy, asked._replace(source_ip=request(source=source).source_ip)).allowed


@LAW
@given(
    RULES,
    st.text(max_size=20),
    st.text(max_size=20),
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=3).map(tuple), max_size=3),
    st.one_of(st.none(), st.text(max_size=10)),
    st.floats(),
)
def test_no_input_makes_the_decision_raise(
    rules: list[RuleTuple],
    method: str,
    target: str,
    host: str,
    headers: dict[str, tuple[str, ...]],
    sni: str | None,
    time: float,
) -> None:
    policy = _set_of(_text(rules))
    if policy is None:
        return
    identity = caller(["spiffe://td/a"])
    for peer in (
        NO_CERTIFICATE,
        MalformedCertificate("x"),
        identity,
        AssertedIdentity(IdentityFacts(), frozenset(), b"k"),
    ):
        for asked in (target, "/" + target):
            decision = evaluate(policy, Request(peer, method, asked, host, headers, None, None, sni, time))
            assert decision.reason in Reason


def test_the_oracle_is_asked_about_allows_and_denies_alike() -> None:
    """Guards the generators: if nothing were ever allowed, the laws above would say little."""
    policy = _set_of(_text([("allow", "n1", "{paths: [/a]}", ""), ("deny", "{email: '*@m'}", "any", "")]))
    assert policy is not None
    assert evaluate(policy, request(caller(["spiffe://td/a"]), "/a")).allowed
    assert not evaluate(policy, request(caller(["spiffe://td/a"], email=["q@m"]), "/a")).allowed


@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_an_identity_of_another_anchor_is_not_believed_about_a_trust_domain(effect: str) -> None:
    policy = _set_of(_text([(effect, "n1", "any", "")]))
    assert policy is not None
    foreign = caller(["spiffe://td/a"], trust=["other"])
    assert evaluate(policy, request(foreign)).rules == ()
