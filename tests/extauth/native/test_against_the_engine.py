"""Law: what Envoy decides is what `evaluate` decides, for any policy and request; what it cannot say it asks."""

import os
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extauth.native.compile import Compiled, compiled_from_policy
from extauth.native.names import NativeVerdict, verdict_from_name
from extauth.native.shadow import shadow_from_policy
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import NO_CERTIFICATE, Presented
from policies.reason import Effect
from runtime.envoy.proto_json import Json
from tests.engine.callers import NoFiles, caller, request
from tests.extauth.native.interpreter import decided, seen_from_request
from tests.extauth.native.world import FILES, LEAF, TIME

NAMES = ["a", "b", "prod", "*", "{t}", "{u}"]
URIS = st.builds(
    lambda parts, rest: "/".join(["spiffe://td", *parts]) + rest,
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
    st.sampled_from(["", "", "/**"]),
).map(lambda uri: f'{{uri: "{uri}"}}')
DNS = st.sampled_from(["a.x", "b.x", "*.x", "{t}.x", "*.a.x", "a.b.x"]).map(lambda name: f'{{dns: "{name}"}}')
OTHERS = st.sampled_from(
    [
        "{email: '*@m'}",
        "{subject: {CN: a}}",
        "{serial: a1}",
        f'{{fingerprint: "sha256:{"01" * 32}"}}',
        "{trust: mesh}",
        "authenticated",
        "unauthenticated",
    ]
)


def _selectors(names: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        st.one_of(names, names, names, OTHERS),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{any: [{', '.join(parts)}]}}"),
            st.lists(inner, min_size=1, max_size=2).map(lambda parts: f"{{all: [{', '.join(parts)}]}}"),
            inner.map(lambda part: f"{{not: {part}}}"),
        ),
        max_leaves=3,
    )


HOSTS = st.sampled_from(
    ["", "hosts: [h.x]", 'hosts: ["*.x"]', 'hosts: ["**.x", y]', 'hosts: ["{t}.x"]', "hosts: [10.0.0.1]"]
)
PATHS = st.sampled_from(
    [
        *("", "paths: [/]", "paths: [/a]", "paths: [/a/]", 'paths: ["/a/*"]', 'paths: ["/a/**"]', 'paths: ["/{t}/b"]'),
        *('paths: ["/**"]', 'paths: ["/a/{u}/**", /b]', 'paths: ["/a%20b"]', 'paths: ["/{t}/{t}"]', 'paths: ["/*/"]'),
    ]
)
METHODS = st.sampled_from(["", "", "methods: [GET]", "methods: [POST, GET]", "methods: [get]"])
HEADERS = st.sampled_from(["", "", "", "headers: {x-h: [v]}"])
GRPC = st.sampled_from(["{grpc: [a.B/C]}", '{grpc: ["a.B/*"], hosts: [h.x]}'])
ROUTES = st.one_of(
    st.just("any"),
    GRPC,
    st.tuples(HOSTS, PATHS, METHODS, HEADERS)
    .map(lambda parts: ", ".join(filter(None, parts)))
    .filter(bool)
    .map(lambda text: f"{{{text}}}"),
)
EXTRAS = st.sampled_from(
    [
        *("", "", "", "", ", from: 10.0.0.0/8", ", not_from: [10.1.0.0/16, '::/0']", ", mode: shadow"),
        *(", when: {after: 2026-01-01T00:00:00Z}", ", set_headers: {x-set: 'v'}"),
    ]
)


def _rules(selectors: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, str, str, str]]]:
    rule = st.tuples(st.sampled_from(["allow", "allow", "deny"]), selectors, ROUTES, EXTRAS)
    return st.lists(rule, min_size=1, max_size=6)


TARGETS = st.sampled_from(
    [
        *("/", "/a", "/a/", "/b", "/a/b", "/a/b/c", "/b/b", "/a?q=/b", "/a.B/C", "/a.B/x", "/a%20b", "/a//b", "/A"),
        *("/.a", "/a/..", "/a;x", "/a%41", "/a\u00e9", "*", "http://h.x/a", "", "/" + "a" * 300),
    ]
)
HOST_HEADERS = st.sampled_from(
    ["h.x", "y", "b.x", "a.b.x", "x", "H.x", "h.x.", "h.x:8443", "h.x:1", "10.0.0.1", "[::1]", "h.x,y", "", "h.0x1"]
)
SPIFFE_FACTS = st.lists(st.sampled_from(["a", "b", "prod", "c", "..a"]), min_size=1, max_size=4).map(
    lambda parts: IdentityFacts(uri=("/".join(["spiffe://td", *parts]),))
)
DNS_FACTS = st.lists(
    st.sampled_from(["a.x", "b.x", "c.x", "A.x", "a.b.x", "q.a.x", "x", "other"]), max_size=2, unique=True
).map(lambda names: IdentityFacts(dns=tuple(names)))
BOTH_FACTS = st.builds(lambda a, b: replace(a, dns=b.dns), SPIFFE_FACTS, DNS_FACTS)
ASKED = st.tuples(
    TARGETS,
    HOST_HEADERS,
    st.sampled_from(["GET", "POST", "get", "HEAD", "A" * 40]),
    st.sampled_from(
        [
            {},
            {"x-h": ["v"]},
            {"x-set": ["v"]},
            {"content-type": ["application/grpc+proto"]},
            {"content-type": ["x/grpc"]},
        ]
    ),
    st.sampled_from(["10.0.0.1", "10.1.0.1", "9.9.9.9", "2001:db8::1", None]),
    st.sampled_from([0xA1, 0xB2]),
    st.sampled_from(["CN=a", "CN=b"]),
)
#: Each is some 80 requests; `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("PEERGATE_EXAMPLES", "300"))
LAW = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
RuleTuple = tuple[str, str, str, str]
Asked = tuple[str, str, str, dict[str, list[str]], str | None, int, str]
#: Each caller asks each question.
QUESTIONS = st.lists(ASKED, min_size=8, max_size=16)
SPIFFE_CALLERS = st.lists(st.one_of(SPIFFE_FACTS, BOTH_FACTS, st.none()), min_size=4, max_size=10)
DNS_CALLERS = st.lists(st.one_of(DNS_FACTS, st.none()), min_size=4, max_size=10)


def _policy(trust: str, rules: list[tuple[str, str, str, str]]) -> PolicySet | None:
    lines = "\n".join(
        f"  - {{id: r{number}, {effect}: {who}, to: {where}{extra}}}"
        for number, (effect, who, where, extra) in enumerate(rules)
    )
    text = f"version: 1\ntrust: {{mesh: {{anchors: [pki/mesh.pem]{trust}}}}}\nrules:\n{lines}\n"
    return load_policy({"policy.yaml": text.encode()}, NoFiles(FILES)).policy


def _assert_agrees(
    policy: PolicySet, compiled: Compiled, shadow: Json | None, facts: IdentityFacts | None, asked: Asked
) -> None:
    target, host, method, headers, source, serial, subject = asked
    peer: Presented = NO_CERTIFICATE
    if facts is not None:
        full = caller(subject=subject, issuer="CN=mesh").facts
        facts = replace(full, uri=facts.uri, dns=facts.dns, email=(), ip=(), serial=serial)
        peer = caller(facts=facts)
    wanted = request(peer, target, method=method, host=host, headers=headers, source=source, time=TIME)
    seen = seen_from_request(wanted, facts, f"{serial:x}", LEAF)
    found = decided(compiled.decides, seen)
    assert found is not None
    verdict = verdict_from_name(found)
    if verdict is None:
        return
    decision = evaluate(policy, wanted)
    assert (verdict.effect, verdict.reason) == (decision.effect, decision.reason)
    assert verdict.rule is None or verdict.rule in decision.rules
    if verdict.effect is Effect.ALLOW:
        names = None if compiled.names is None else decided(compiled.names, seen)
        assert (tuple(names.split(",")) if names else ()) == decision.identities
    _assert_shadow_agrees(decision, verdict, None if shadow is None else decided(shadow, seen))


def _assert_shadow_agrees(decision: Decision, verdict: NativeVerdict, found: str | None) -> None:
    """What shadow rules would change is said, or that it is not known; nothing is said where nothing changes."""
    shadow = verdict_from_name(found) if found is not None else verdict
    if shadow is not None:
        expected = decision.shadow or decision
        assert (shadow.effect, shadow.reason) == (expected.effect, expected.reason)
        assert shadow.rule is None or shadow.rule in expected.rules
        assert shadow == verdict or decision.shadow is not None


@pytest.mark.timeout(900)
@LAW
@given(_rules(_selectors(URIS)), SPIFFE_CALLERS, QUESTIONS)
def test_envoy_decides_about_spiffe_ids_as_the_engine_does(
    rules: list[RuleTuple], callers: list[IdentityFacts | None], asked: list[Asked]
) -> None:
    policy = _policy(", spiffe_trust_domain: td", rules)
    if policy is not None:
        compiled = compiled_from_policy(policy, TIME, (8443,), stamped=False)
        shadow = shadow_from_policy(policy, TIME, (8443,), stamped=False)
        for facts, one in product(callers, asked):
            _assert_agrees(policy, compiled, shadow, facts, one)


@pytest.mark.timeout(900)
@LAW
@given(_rules(_selectors(DNS)), DNS_CALLERS, QUESTIONS)
def test_envoy_decides_about_dns_names_as_the_engine_does(
    rules: list[RuleTuple], callers: list[IdentityFacts | None], asked: list[Asked]
) -> None:
    policy = _policy("", rules)
    if policy is not None:
        compiled = compiled_from_policy(policy, TIME, (8443,), stamped=False)
        shadow = shadow_from_policy(policy, TIME, (8443,), stamped=False)
        for facts, one in product(callers, asked):
            _assert_agrees(policy, compiled, shadow, facts, one)
