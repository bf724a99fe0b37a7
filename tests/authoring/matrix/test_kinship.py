"""What the indexes of the matrix leave out would not have been in it: the same is found by comparing everything."""

from collections.abc import Mapping
from functools import lru_cache
from unittest.mock import patch

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from pki.authority import Authority
from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.axes import columns_of, rows_of
from policies.authoring.matrix.certainty import apart, holds
from policies.authoring.matrix.kinship import CallerKinship, Kin, admitted
from policies.authoring.matrix.matrix import matrix_from_policy
from policies.authoring.matrix.reach import Reach, RouteReach, Ways, reach_from_ways
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.engine.selector import AnyOf, Selector
from policies.language.load import load_policy
from tests.engine.callers import NoFiles

SEGMENTS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=4)
TAILS = st.sampled_from(["", "", "/**"])
TEXTS = st.builds(lambda segments, tail: "/".join(segments) + tail, SEGMENTS, TAILS)
IDS = TEXTS.map(lambda path: f'{{uri: "spiffe://td/{path}"}}')
OTHERS = st.sampled_from(
    [
        '{trust: ca, uri: "https://h/*/a"}',
        '{trust: ca, uri: "https://h/b/*"}',
        '{trust: ca, dns: "*.a.x"}',
        '{trust: mesh, dns: "a.x"}',
        "{trust: ca, serial: a1}",
        '{trust: mesh, serial: [a1, b2], uri: "spiffe://td/*/b"}',
        "{trust: mesh}",
        "authenticated",
        "unauthenticated",
        "named",
    ]
)
SELECTORS = st.recursive(
    IDS | IDS | OTHERS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{any: [{', '.join(parts)}]}}"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"{{all: [{', '.join(parts)}]}}"),
        inner.map(lambda part: f"{{not: {part}}}"),
    ),
    max_leaves=4,
)
CALLERS = st.lists(SELECTORS, min_size=1, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
HOSTS = st.sampled_from(["", "hosts: [a.x], ", "hosts: ['*.x', h], ", "hosts: ['**.x'], ", "methods: [GET], "])
PATHS = st.lists(TEXTS.map(lambda text: f'"/{text}"'), min_size=1, max_size=3).map(", ".join)
ROUTES = st.builds(lambda host, paths: f"{{{host}paths: [{paths}]}}", HOSTS, PATHS) | st.just("any")
RULES = st.lists(st.tuples(st.sampled_from(["allow", "allow", "deny"]), CALLERS, ROUTES), min_size=1, max_size=6)
RuleTexts = list[tuple[str, str, str]]


#: Rows are found by how their names begin alone; segments after the first wildcard are not looked at.
BY_LEADING_NAMES = patch.object(CallerKinship, "_crossing", return_value=None)


@lru_cache(maxsize=1)
def _anchors() -> Mapping[str, bytes]:
    return {"root.pem": Authority.root("mesh").pem, "ca.pem": Authority.root("ca").pem}


def _loaded(rules: RuleTexts) -> tuple[PolicySet, Mapping[str, bytes]]:
    lines = [f"  - {{id: r{number}, {effect}: {who}, to: {to}}}\n" for number, (effect, who, to) in enumerate(rules)]
    text = (
        "version: 1\n"
        "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}, ca: {anchors: [ca.pem]}}\n"
        "identities: {named: {uri: 'spiffe://td/*/a'}}\n"
        f"rules:\n{''.join(lines)}"
    )
    files = {"policy.yaml": text.encode()}
    policy = load_policy(files, NoFiles(_anchors())).policy
    if policy is None:
        reject()  # an allow of `unauthenticated` to any, for one
    return policy, files


def _callers(policy: PolicySet, rule: Rule) -> Selector:
    return AnyOf(tuple(admitted(policy.identities[at].selector, rule.effect) for at in rule.callers))


law = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@law
@given(RULES)
def test_the_index_of_spiffe_ids_changes_no_row_of_any_rule(rules: RuleTexts) -> None:
    policy, _ = _loaded(rules)
    _, rows = rows_of(policy)
    indexed, plain = CallerKinship(policy, rows), CallerKinship(policy, rows)
    found = [(indexed.of(rule), indexed.is_stray(rule)) for rule in policy.rules]
    with BY_LEADING_NAMES:
        assert found == [(plain.of(rule), plain.is_stray(rule)) for rule in policy.rules]


@law
@given(RULES)
def test_the_index_of_spiffe_ids_changes_nothing_of_the_matrix(rules: RuleTexts) -> None:
    policy, files = _loaded(rules)
    places = places_from_files(files)
    indexed = matrix_from_policy(policy, places)
    with BY_LEADING_NAMES:
        assert indexed == matrix_from_policy(policy, places)


@law
@given(st.lists(IDS, min_size=1, max_size=8))
def test_spiffe_ids_are_kin_exactly_where_comparing_all_of_them_says_so(identities: list[str]) -> None:
    policy, _ = _loaded([("allow", who, "any") for who in identities])
    _, rows = rows_of(policy)
    kinship = CallerKinship(policy, rows)
    for rule in policy.rules:
        whole = _callers(policy, rule)
        compared = [Kin(at, holds(row, whole)) for at, row in enumerate(rows) if not apart(row, whole)]
        assert list(kinship.of(rule)) == compared


@law
@given(RULES)
def test_routes_reach_exactly_the_columns_that_comparing_all_of_them_says(rules: RuleTexts) -> None:
    policy, _ = _loaded(rules)
    _, columns = columns_of(policy)
    reach = RouteReach(policy, columns)
    for rule in policy.rules:
        if not rule.anywhere:
            assert list(reach.of(rule)) == _compared(policy, rule, columns)


def _compared(policy: PolicySet, rule: Rule, columns: tuple[Ways, ...]) -> list[Reach]:
    ways = [way for at in rule.routes for way in policy.routes[at].alternatives]
    reached = (reach_from_ways(column, mine, ways) for column, mine in enumerate(columns))
    return [one for one in reached if one is not None]


def test_identities_that_differ_after_a_wildcard_are_not_compared_with_each_other() -> None:
    policy, _ = _loaded([("allow", f'{{uri: "spiffe://td/ns/*/sa/s{number}"}}', "any") for number in range(100)])
    _, rows = rows_of(policy)
    kinship = CallerKinship(policy, rows)
    with patch("policies.authoring.matrix.kinship.holds", wraps=holds) as compared:
        assert all(kinship.of(rule) for rule in policy.rules)
    # Each with itself and with the rows of all callers, authenticated or not.
    assert compared.call_count <= 3 * len(policy.rules)


def test_routes_of_one_host_that_differ_after_a_wildcard_are_not_compared_with_each_other() -> None:
    policy, _ = _loaded([("allow", "named", f'{{hosts: [h], paths: ["/v1/*/s{number}"]}}') for number in range(100)])
    _, columns = columns_of(policy)
    reach = RouteReach(policy, columns)
    with patch("policies.authoring.matrix.reach.reach_from_ways", wraps=reach_from_ways) as compared:
        assert all(reach.of(rule) for rule in policy.rules)
    assert compared.call_count == len(policy.rules)
