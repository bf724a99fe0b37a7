"""No change that is reported is made up, and none is missed: laws over generated policies and requests."""

from dataclasses import replace
from functools import lru_cache
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.authoring.diff.comparison import Change, Compared, Comparison
from policies.authoring.diff.literal import Point
from policies.authoring.diff.parts import RuleParts
from policies.authoring.diff.search import matching_part
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.engine.selector import Caller
from policies.engine.target import canonical_target
from policies.language.load import load_policy
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity, Presented
from tests.authoring.policies import MESH, PARTNERS, Memory
from tests.engine.callers import NOW, caller, request

SELECTORS = st.recursive(
    st.sampled_from(
        [
            '{uri: "spiffe://td/a"}',
            '{uri: "spiffe://td/*"}',
            '{uri: "spiffe://td/{t}"}',
            '{uri: "spiffe://td/a/**"}',
            '{trust: p, uri: ["urn:x", "https://u/**"]}',
            '{trust: p, dns: "*.x"}',
            "{trust: p, dns: [a.x, b.x]}",
            '{trust: p, dns: "{t}.x"}',
            "{trust: p, email: '*@m'}",
            "{trust: p, email: q@m}",
            "{trust: p, ip_san: 10.0.0.0/8}",
            "{trust: p, subject: {CN: a, O: [b, c]}}",
            "{trust: p, issuer: 'CN=i'}",
            "{trust: [p, td], serial: [a1, a2]}",
            f'{{fingerprint: "sha256:{"01" * 32}"}}',
            "{trust: td}",
            "{trust: p}",
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
        '{hosts: ["*.x", "a.b.x"], methods: [GET, PUT]}',
        '{hosts: ["**.x", h], paths: ["/a", "/a/*"]}',
        '{paths: ["/{t}/**"]}',
        '{hosts: ["{t}.x"], paths: ["/{t}"]}',
        '{paths: ["/a/{u}"]}',
        '{paths: ["/a/**"]}',
        "{headers: {x-h: [v, w]}, paths: [/a]}",
        "{headers: {x-h: v}, paths: [/a]}",
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
        ", from: [10.0.0.0/9, 10.128.0.0/9]",
        ", not_from: 10.1.0.0/16",
        ", when: {sni: ['*.x']}",
        ", when: {after: 2026-01-01T00:00:00Z}",
        ", when: {before: 2026-10-01T00:00:00Z, days: [mon, tue]}",
        ", mode: shadow",
        ", set_headers: {x-a: v}",
        ", set_headers: {x-a: w}",
        ", set_headers: {x-a: '{identity.name}'}",
        ", set_headers: {x-a: '{identity.email}'}",
    ]
)
Rule = tuple[str, str, str, str]
RULE = st.tuples(st.sampled_from(["allow", "allow", "deny"]), SELECTORS, ROUTES, EXTRAS)
RULES = st.lists(RULE, min_size=1, max_size=4)


def _caller(
    uri: tuple[tuple[str, ...], str], dns: list[str], names: tuple[str, tuple[str, ...]], hidden: set[str]
) -> Presented:
    found = caller(uri[0], dns=dns, email=names[1], ip=["10.1.1.1"], subject=names[0], issuer="CN=i", trust=(uri[1],))
    return caller(facts=replace(found.facts, **dict.fromkeys(hidden)), trust=(uri[1],))


SVIDS = st.sampled_from(["spiffe://td", "spiffe://td/a", "spiffe://td/b", "spiffe://td/a/b", "spiffe://td/x/y"])
PEERS: st.SearchStrategy[Presented] = st.one_of(
    st.just(NO_CERTIFICATE),
    st.builds(
        _caller,
        st.one_of(
            SVIDS.map(lambda uri: ((uri,), "td")),
            st.lists(st.sampled_from(["urn:x", "https://u", "https://u/v"]), max_size=2, unique=True).map(
                lambda uris: (tuple(uris), "p")
            ),
        ),
        st.lists(st.sampled_from(["a.x", "b.x", "A.X", "a.b.x"]), max_size=2, unique=True),
        st.sampled_from([("", ()), ("CN=a,O=b", ("q@m",)), ("CN=a", ("r@m", "q@n"))]),
        st.sets(st.sampled_from(["issuer", "serial", "cert_sha256"]), max_size=2),
    ),
)
REQUESTS = st.builds(
    lambda peer, target, host, method, headers, source, sni, time: request(
        peer, target, host=host, method=method, headers=headers, source=source, sni=sni, time=time
    ),
    PEERS,
    st.sampled_from(["/", "/a", "/a/", "/b", "/a/b", "/b/a/c", "/a.B/C", "/a.D/x"]),
    st.sampled_from(["h", "a.x", "b.x", "a.b.x", "x"]),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.sampled_from([{}, {"x-h": ["v"]}, {"x-h": ["v", "v"]}, {"content-type": ["application/grpc"]}]),
    st.sampled_from(["10.0.0.1", "10.1.0.1", "10.200.0.1", "9.9.9.9", None]),
    st.sampled_from(["a.x", "b", "h", None, UNREPORTED]),
    st.sampled_from([NOW, NOW - 86400 * 400, NOW - 86400 * 30, NOW - 86400 * 29]),
)
LAW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@lru_cache(maxsize=1)
def _files() -> Memory:
    return Memory({"mesh.pem": MESH.pem, "p.pem": PARTNERS.pem})


def policy_of(rules: list[Rule], strict: bool = False) -> PolicySet | None:
    """The policy, or None where the generated rules are refused (bindings that do not tie, for one)."""
    lines = [
        f"  - {{id: r{number}, {effect}: {who}, to: {to}{extra}}}"
        for number, (effect, who, to, extra) in enumerate(rules)
    ]
    text = "\n".join(
        [
            "version: 1",
            "strict_sni: true" if strict else "",
            "trust: {td: {anchors: [mesh.pem], spiffe_trust_domain: td}, p: {anchors: [p.pem]}}",
            "identities: {n1: {uri: 'spiffe://td/a'}}",
            "rules:",
            *lines,
        ]
    )
    return load_policy({"policy.yaml": text.encode()}, _files()).policy


EDITS = st.tuples(st.sampled_from(["drop", "replace", "add", "swap"]), st.integers(0, 3), RULE)
#: `strict_sni` before and after.
STRICT = st.sampled_from([(False, False), (False, False), (True, True), (True, False), (False, True)])


def edited(rules: list[Rule], edit: tuple[str, int, Rule]) -> list[Rule]:
    """`rules` after one edit, as a person makes them; a rule keeps three of its four parts when it is replaced."""
    kind, number, rule = edit
    at = number % len(rules)
    if kind == "drop" and len(rules) > 1:
        return [*rules[:at], *rules[at + 1 :]]
    if kind == "add":
        return [*rules, rule]
    if kind == "swap":
        return [*rules[1:], rules[0]]
    part = number % 4
    changed = (*rules[at][:part], rule[part], *rules[at][part + 1 :])
    return [*rules[:at], changed, *rules[at + 1 :]]  # type: ignore[list-item]


def _point(asked: Request, comparison: Comparison) -> Point:
    names = {pair.old.name: pair.key for pair in comparison.pairs if pair.old is not None}
    host, segments = canonical_target(asked.method, asked.target, asked.host)
    if isinstance(asked.peer, AssertedIdentity):
        return Point(
            Caller(asked.peer.facts, frozenset(names[name] for name in asked.peer.trust)), asked, host, segments
        )
    return Point(Caller(None, frozenset()), asked, host, segments)


def _covers(change: Change, point: Point, comparison: Comparison) -> bool:
    """A change with a deny rule stands for all requests of the two rules, one without for those of the allow part."""
    if change.strict_sni:
        return True
    allows, denies = (comparison.new, comparison.old) if change.widening else (comparison.old, comparison.new)
    if change.deny is None:
        part = change.allow
        return matching_part(point, RuleParts(part.rule, {part.caller: 0}, (part.place,))) is not None
    of_rules = allows.rules[change.allow.rule.id], denies.rules[change.deny.rule.id]
    return all(matching_part(point, rule) is not None for rule in of_rules)


def _explained(compared: Compared, comparison: Comparison, point: Point, widening: bool) -> bool:
    return any(
        change.widening is widening and _covers(change, point, comparison) for change in compared.changes
    ) or any(unproved.widening is widening for unproved in compared.unproved)


@LAW
@given(RULES, EDITS, st.lists(REQUESTS, min_size=1, max_size=40), STRICT)
def test_every_request_that_is_decided_otherwise_lies_in_a_reported_change(
    rules: list[Rule], edit: tuple[str, int, Rule], asked: list[Request], strict: tuple[bool, bool]
) -> None:
    old, new = policy_of(rules, strict[0]), policy_of(edited(rules, edit), strict[1])
    if old is None or new is None:
        return
    comparison = Comparison(old, new, NOW)
    compared = comparison.compared()
    for change in compared.changes:
        before, after = comparison.search.requests(change.witness.found.point)
        allowed = evaluate(old, before).allowed, evaluate(new, after).allowed
        assert allowed == ((False, True) if change.widening else (True, False))
    for one in asked:
        was, now = evaluate(old, one).allowed, evaluate(new, one).allowed
        if was is not now:
            assert _explained(compared, comparison, _point(one, comparison), now)


TRUSTS = st.sets(
    st.sampled_from(["p: {anchors: [p.pem]}", "q: {anchors: [p.pem]}", "r: {anchors: [mesh.pem]}"]), min_size=1
)
TRUST_SELECTORS = st.sampled_from(
    [
        "authenticated",
        "{trust: p}",
        "{trust: [p, q]}",
        "{trust: r}",
        "{not: {trust: q}}",
        "{all: [{trust: p}, {trust: r}]}",
    ]
)
TRUST_RULES = st.lists(st.tuples(st.sampled_from(["allow", "allow", "deny"]), TRUST_SELECTORS), min_size=1, max_size=3)


def _trusting(entries: set[str], rules: list[tuple[str, str]]) -> PolicySet | None:
    lines = [f"  - {{id: r{number}, {effect}: {who}, to: any}}" for number, (effect, who) in enumerate(rules)]
    text = "\n".join(["version: 1", f"trust: {{{', '.join(sorted(entries))}}}", "rules:", *lines])
    return load_policy({"policy.yaml": text.encode()}, _files()).policy


@LAW
@given(TRUSTS, TRUSTS, TRUST_RULES, TRUST_RULES, st.booleans())
def test_trust_entries_that_come_go_and_change_their_names_are_compared_by_whom_they_vouch_for(
    before: set[str], after: set[str], rules: list[tuple[str, str]], others: list[tuple[str, str]], same: bool
) -> None:
    old, new = _trusting(before, rules), _trusting(after, rules if same else others)
    if old is None or new is None:
        return
    comparison = Comparison(old, new, NOW)
    compared = comparison.compared()
    assert compared.unproved == ()
    differing: set[bool] = set()
    keys = [pair.key for pair in comparison.pairs]
    for trust in (frozenset(chosen) for size in (1, 2, 3) for chosen in combinations(keys, size)):
        asked = request(caller(trust=()), "/a")
        point = Point(Caller(None, trust), asked, "h.example", ("a",))
        was, now = (
            evaluate(policy, one).allowed
            for policy, one in zip((old, new), comparison.search.requests(point), strict=True)
        )
        differing |= {now} if was is not now else set()
    assert {change.widening for change in compared.changes} == differing
