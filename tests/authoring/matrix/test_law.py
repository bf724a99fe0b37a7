"""The law of the matrix over generated policies and requests: what a cell says, `evaluate` does."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pki.authority import Authority
from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.cell import Kind, Verdict
from policies.authoring.matrix.matrix import Matrix, matrix_from_policy
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.engine.truth import FALSE, TRUE
from policies.language.load import load_policy
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity
from policies.reason import Effect, Reason
from tests.authoring.matrix.oracle import Situation
from tests.engine.callers import NoFiles, caller, request

FIELDS = [
    '{uri: "spiffe://td/a"}',
    '{uri: "spiffe://td/*"}',
    '{uri: "spiffe://td/a/b"}',
    '{uri: "spiffe://td/{t}"}',
    '{uri: ["spiffe://td/a/**", "spiffe://td/b"]}',
    '{trust: ca, uri: "urn:x"}',
    '{trust: ca, dns: "*.x"}',
    '{trust: ca, dns: "{t}.x"}',
    "{trust: [ca, mesh], dns: a.x}",
    '{trust: mesh, dns: "a.x", uri: "spiffe://td/a"}',
    "{trust: ca, email: '*@m'}",
    "{trust: ca, ip_san: 10.0.0.0/8}",
    "{trust: ca, subject: {CN: a, O: [b, c]}}",
    "{trust: ca, subject: 'CN=a'}",
    "{trust: ca, issuer: 'CN=i'}",
    "{trust: ca, serial: a1}",
    "{trust: ca, serial: a2}",
    f'{{fingerprint: "sha256:{"01" * 32}"}}',
    "{trust: mesh}",
    "{trust: [ca, mesh]}",
    "authenticated",
    "unauthenticated",
    "n1",
    "n2",
]
SELECTORS = st.recursive(
    st.sampled_from(FIELDS),
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
        '{hosts: ["*.x"], methods: [GET, POST]}',
        "{hosts: [a.x], methods: [GET, PUT], paths: [/a]}",
        '{hosts: ["**.x", h], paths: ["/a", "/a/*"]}',
        '{paths: ["/{t}/**"]}',
        '{hosts: ["{t}.x"], paths: ["/{t}"]}',
        '{paths: ["/a/{u}"]}',
        '{paths: ["/a/**"]}',
        "{headers: {x-h: [v]}, paths: [/a]}",
        "{headers: {x-h: [v, w]}, paths: ['/a/**']}",
        "{grpc: [a.B/C, 'a.D/*']}",
        "calls",
        "{paths: ['/a.B/*']}",
        "{paths: [/, /a/]}",
    ]
)
EXTRAS = st.sampled_from(
    [
        "",
        "",
        "",
        "",
        ", from: 10.0.0.0/8",
        ", not_from: 10.1.0.0/16",
        ", when: {sni: ['*.x']}",
        ", when: {after: 2026-01-01T00:00:00Z}",
        ", mode: shadow",
    ]
)
SETTING = st.sampled_from(["", "", ", set_headers: {x-a: v}", ", set_headers: {x-a: w}"])


@st.composite
def _rules(draw: st.DrawFn) -> list[tuple[str, str, str, str, str]]:
    """Rules about a few selectors and routes, so that they meet."""
    selectors = st.sampled_from(draw(st.lists(SELECTORS, min_size=1, max_size=3)))
    routes = st.sampled_from(draw(st.lists(ROUTES, min_size=1, max_size=3)))
    allow = st.tuples(st.just("allow"), selectors, routes, EXTRAS, SETTING)
    deny = st.tuples(st.just("deny"), st.just("anyone") | selectors, routes, EXTRAS, st.just(""))
    return draw(st.lists(allow | allow | deny, min_size=1, max_size=4))


def _peer(
    uri: tuple[str, ...], dns: list[str], email: tuple[str, ...], subject: str, hidden: set[str]
) -> AssertedIdentity:
    """A caller as a certificate could be: one with a SPIFFE ID passes the entry of its trust domain, and no other."""
    facts = caller(uri, dns=dns, email=email, ip=["10.1.1.1"], subject=subject, issuer="CN=i").facts
    unknown: dict[str, Any] = dict.fromkeys(hidden)
    known: IdentityFacts = replace(facts, **unknown)
    return caller(facts=known, trust=["mesh"] if any(u.startswith("spiffe") for u in uri) else ["ca"])


URIS = [(), ("spiffe://td/a",), ("spiffe://td/b",), ("spiffe://td/a/b",), ("urn:x",)]
SOMETIMES_UNKNOWN = ["dns", "email", "serial", "subject", "cert_sha256", "ip", "issuer"]


def _requests(rnd: Random, count: int) -> Iterator[Request]:
    """Requests of the world that the rules are about; drawn here, as hypothesis would take seconds for as many."""
    for _ in range(count):
        dns = [name for name in ("a.x", "b.x", "a.b.x") if rnd.random() < 0.3]
        hidden = {name for name in SOMETIMES_UNKNOWN if rnd.random() < 0.1}
        subject = rnd.choice(["", "CN=a,O=b", "CN=a"])
        peer = _peer(rnd.choice(URIS), dns, rnd.choice([(), ("q@m",)]), subject, hidden)
        yield request(
            NO_CERTIFICATE if rnd.random() < 0.15 else peer,
            rnd.choice(["/", "/a", "/a", "/a/", "/b", "/a/b", "/b/a/c", "/a.B/C", "/a.D/x"]),
            host=rnd.choice(["h", "a.x", "a.x", "b.x", "a.b.x", "x"]),
            method=rnd.choice(["GET", "GET", "POST", "PUT"]),
            headers=rnd.choice(
                [{}, {"x-h": ["v"]}, {"x-h": ["w"]}, {"x-h": ["v", "v"]}, {"content-type": ["application/grpc"]}]
            ),
            source=rnd.choice(["10.0.0.1", "10.1.0.1", "9.9.9.9", None]),
            sni=rnd.choice(["a.x", "b", None, UNREPORTED]),
            seen=rnd.choice([None, None, None, ("content-type",)]),
            time=1_790_000_000.0,
        )


RuleTuple = tuple[str, str, str, str, str]


@lru_cache(maxsize=1)
def _anchors() -> Mapping[str, bytes]:
    return {"root.pem": Authority.root("mesh").pem, "ca.pem": Authority.root("ca").pem}


def _filled(rules: list[RuleTuple]) -> tuple[PolicySet, Matrix] | None:
    """The policy and its matrix, or None where the generated rules are refused (bindings that do not tie, for one)."""
    lines = [
        f"  - {{id: r{number}, {effect}: {who}, to: {to}{extra}{setting}}}"
        for number, (effect, who, to, extra, setting) in enumerate(rules)
    ]
    text = "\n".join(
        [
            "version: 1",
            "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}, ca: {anchors: [ca.pem]}}",
            "identities: {n1: {uri: 'spiffe://td/a'}, n2: {any: [n1, {trust: ca, email: '*@m'}]}}",
            "routes: {calls: {grpc: ['a.B/*']}}",
            "rules:",
            *lines,
        ]
    )
    files = {"policy.yaml": text.encode()}
    policy = load_policy(files, NoFiles(_anchors())).policy
    return (policy, matrix_from_policy(policy, places_from_files(files))) if policy is not None else None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(_rules(), st.integers(0, 2**32))
def test_a_cell_says_what_is_decided(rules: list[RuleTuple], seed: int) -> None:
    found = _filled(rules)
    if found is None:
        return
    policy, matrix = found
    for one in _requests(Random(seed), 150):
        decision = evaluate(policy, one)
        assert decision.reason not in {Reason.REQUEST_MALFORMED, Reason.HOST_INVALID, Reason.PATH_AMBIGUOUS}
        _check(Situation(policy, matrix, one))


def _check(situation: Situation) -> None:
    decision = evaluate(situation.policy, situation.request)
    rules = {rule.id: rule for rule in situation.policy.rules}
    stray = {use.rule for use, _ in situation.matrix.elsewhere}
    for _, _, cell in situation.cells():
        shown = {use.rule for use in cell.uses}
        if any(situation.is_caller_of(rules[name]) != FALSE for name in stray - shown):
            continue  # a caller who is of a stray deny, as the matrix says beside the cells
        by_others = not shown.issuperset(decision.rules)
        if by_others:
            # Only an allow by another name of the caller, of which the cell does not speak.
            assert decision.allowed or decision.problems
            assert cell.verdict is not Verdict.DENY
            continue
        assert decision.allowed or cell.verdict is not Verdict.ALLOW
        assert not decision.allowed or cell.verdict not in {Verdict.DENY, Verdict.NONE}
        enforced = [use for use in cell.uses if not use.shadow]
        if any(condition.kind is Kind.CONFLICT for use in enforced for condition in use.conditions):
            continue
        allowed = any(use.effect is Effect.ALLOW and situation.shown_truth(use) == TRUE for use in enforced)
        denied = any(use.effect is Effect.DENY and situation.shown_truth(use) != FALSE for use in enforced)
        assert decision.allowed == (allowed and not denied)
