"""What single cells say, one claim each; `test_law.py` holds the law over generated policies."""

import pytest

from policies.authoring.lint.places import places_from_files
from policies.authoring.matrix.cell import Cell, Kind, Verdict
from policies.authoring.matrix.matrix import Matrix, MatrixTooLargeError, matrix_from_policy
from policies.language.load import load_policy
from tests.authoring.policies import POLICY, SURROUNDINGS

HEAD = """
version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: td}
  partners: {anchors: [partners.pem]}
"""


def matrix(text: str) -> Matrix:
    files = {"policy.yaml": (text if "version" in text else HEAD + text).encode()}
    loaded = load_policy(files, SURROUNDINGS)
    assert loaded.policy is not None, loaded.problems
    return matrix_from_policy(loaded.policy, places_from_files(files))


def cell(found: Matrix, identity: str, route: str) -> Cell:
    rows, columns = [row.name for row in found.rows], [column.name for column in found.columns]
    return found.cell(rows.index(identity), columns.index(route))


def verdict(text: str, identity: str, route: str) -> Verdict:
    return cell(matrix(text), identity, route).verdict


def kinds(found: Cell) -> set[Kind]:
    return {condition.kind for use in found.uses for condition in use.conditions}


TWO = """
identities: {a: {uri: "spiffe://td/a"}, all: {uri: "spiffe://td/**"}}
routes: {r: {hosts: [h], methods: [GET], paths: [/x]}, wide: {hosts: [h]}}
rules:
"""


def test_what_a_rule_allows_is_allowed_and_what_none_speaks_of_is_not() -> None:
    found = matrix(POLICY)
    assert cell(found, "billing", "invoices").verdict is Verdict.ALLOW
    assert cell(found, "partner", "invoices").verdict is Verdict.NONE
    assert cell(found, "unauthenticated", "invoices").verdict is Verdict.NONE


def test_a_rule_about_a_wider_identity_allows_the_narrower_one() -> None:
    assert verdict(TWO + "  - {id: x, allow: all, to: r}", "a", "r") is Verdict.ALLOW


def test_a_wider_identity_is_allowed_only_if_the_caller_is_the_narrower_one() -> None:
    found = cell(matrix(TWO + "  - {id: x, allow: a, to: r}"), "all", "r")
    assert (found.verdict, kinds(found)) == (Verdict.CONDITIONAL, {Kind.CALLER})


def test_a_wider_route_is_allowed_only_where_the_request_is_on_the_narrower_one() -> None:
    found = cell(
        matrix(TWO + "  - {id: x, allow: a, to: r}\n  - {id: y, deny: a, to: wide, from: 10.0.0.0/8}"), "a", "wide"
    )
    assert (found.verdict, kinds(found)) == (Verdict.CONDITIONAL, {Kind.REQUEST, Kind.SOURCE})


def test_a_deny_beats_an_allow_and_both_are_shown() -> None:
    found = cell(matrix(TWO + "  - {id: x, allow: a, to: r}\n  - {id: y, deny: all, to: wide}"), "a", "r")
    assert (found.verdict, [use.rule for use in found.uses]) == (Verdict.DENY, ["x", "y"])


def test_a_route_of_more_methods_is_not_allowed_as_a_whole() -> None:
    text = (
        HEAD
        + """
identities: {a: {uri: "spiffe://td/a"}}
routes: {reads: {hosts: [h], methods: [GET]}, both: {hosts: [h], methods: [GET, PUT]}}
rules:
  - {id: x, allow: a, to: reads}
  - {id: y, deny: a, to: both, mode: shadow}
"""
    )
    assert verdict(text, "a", "both") is Verdict.CONDITIONAL


def test_routes_that_share_no_method_host_or_path_have_nothing_to_do_with_each_other() -> None:
    text = (
        TWO
        + """
  - {id: x, allow: a, to: r}
  - {id: m, allow: all, to: {hosts: [h], methods: [PUT], paths: [/x]}}
  - {id: p, allow: all, to: {hosts: [h], paths: ["/x/*"]}}
  - {id: h, allow: all, to: {hosts: ["**.h"]}}
"""
    )
    assert [use.rule for use in cell(matrix(text), "a", "r").uses] == ["x"]


def test_a_header_that_a_route_asks_for_is_a_condition_on_a_route_that_does_not() -> None:
    text = (
        TWO
        + "  - {id: x, allow: a, to: {hosts: [h], headers: {x-h: [v]}}}\n"
        + "  - {id: y, allow: all, to: r, from: 10.0.0.0/8}"
    )
    assert Kind.HEADER in kinds(cell(matrix(text), "a", "r"))
    assert cell(matrix(text), "a", "r").verdict is Verdict.CONDITIONAL


def test_a_name_that_both_sides_bind_is_a_condition() -> None:
    found = cell(matrix(POLICY), "tenant", "files")
    assert (found.verdict, kinds(found)) == (Verdict.CONDITIONAL, {Kind.BOUND})


def test_address_time_and_server_name_are_conditions_in_the_words_of_the_author() -> None:
    when = "when: {sni: [h], after: 2026-01-01T00:00:00Z, days: [mon], hours: ['22:00-06:00'], timezone: Europe/Berlin}"
    found = cell(matrix(TWO + f"  - {{id: x, allow: a, to: r, not_from: 10.0.0.0/8, {when}}}"), "a", "r")
    assert [condition.text for condition in found.uses[0].conditions] == [
        "the connection does not come from `10.0.0.0/8`",
        "the TLS server name is `h`",
        "it is 2026-01-01T00:00:00Z or later",
        "it is mon 22:00-06:00 in Europe/Berlin",
    ]


def test_rules_that_set_one_header_to_two_values_are_no_plain_allow() -> None:
    rules = "\n".join(f"  - {{id: {v}, allow: a, to: r, set_headers: {{x-v: {v}}}}}" for v in ("one", "two"))
    found = cell(matrix(TWO + rules), "a", "r")
    assert (found.verdict, kinds(found)) == (Verdict.CONDITIONAL, {Kind.CONFLICT})


def test_a_shadow_rule_changes_only_the_verdict_with_shadow_rules() -> None:
    found = cell(matrix(TWO + "  - {id: x, allow: a, to: r}\n  - {id: y, deny: a, to: any, mode: shadow}"), "a", "r")
    assert (found.verdict, found.shadow) == (Verdict.ALLOW, Verdict.DENY)


def test_not_an_identity_is_whoever_is_apart_from_it() -> None:
    text = TWO + '  - {id: x, allow: all, to: r}\n  - {id: y, deny: {not: {uri: "spiffe://td/a"}}, to: r}'
    assert verdict(text, "a", "r") is Verdict.ALLOW
    assert verdict(text, "unauthenticated", "r") is Verdict.DENY
    assert verdict(text, "all", "r") is Verdict.CONDITIONAL


def test_an_allow_of_not_somebody_is_for_callers_with_a_certificate() -> None:
    text = TWO + '  - {id: x, allow: {not: {uri: "spiffe://td/b"}}, to: r}'
    assert verdict(text, "a", "r") is Verdict.ALLOW
    assert verdict(text, "unauthenticated", "r") is Verdict.NONE


def test_a_deny_that_a_further_name_of_any_caller_could_meet_stands_beside_the_cells() -> None:
    found = matrix(
        TWO + f'  - {{id: x, allow: a, to: r}}\n  - {{id: y, deny: {{fingerprint: "sha256:{"ab" * 32}"}}, to: any}}'
    )
    assert cell(found, "a", "r").verdict is Verdict.ALLOW
    assert [(use.rule, callers) for use, callers in found.elsewhere] == [("y", f"fingerprint sha256:{'ab' * 32}")]


def test_a_deny_of_another_spiffe_id_stands_nowhere_else() -> None:
    assert (
        matrix(TWO + '  - {id: x, allow: a, to: r}\n  - {id: y, deny: {uri: "spiffe://td/b"}, to: any}').elsewhere == ()
    )


def test_to_any_is_a_column_of_its_own_and_reaches_every_other() -> None:
    found = matrix(TWO + "  - {id: x, allow: a, to: any}\n  - {id: y, deny: all, to: r, mode: shadow}")
    assert [column.name for column in found.columns] == ["r", "any"]
    assert cell(found, "a", "r").verdict is cell(found, "a", "any").verdict is Verdict.ALLOW


def test_inline_selectors_and_routes_have_readable_names_and_equal_ones_are_one() -> None:
    rule = 'allow: {trust: partners, dns: "*.x", subject: {O: P}}, to: {hosts: [h], methods: [GET], paths: ["/{a}/**"]}'
    found = matrix(HEAD + f"rules:\n  - {{id: x, {rule}}}\n  - {{id: y, {rule}, from: 10.0.0.0/8}}")
    assert [row.name for row in found.rows] == ["unauthenticated", "trust partners and dns *.x and subject O=p"]
    assert [column.name for column in found.columns] == ["GET h/{a}/**"]


@pytest.mark.parametrize(
    "rule",
    [
        "allow: authenticated, to: r",
        "allow: [a, authenticated], to: r",
        "deny: authenticated, to: r, mode: shadow",
        "deny: {not: a}, to: any",
        "allow: {not: a}, to: r",
    ],
)
def test_authenticated_is_a_row_where_a_rule_is_about_it_or_about_nobody_in_particular(rule: str) -> None:
    rows = matrix(TWO + f"  - {{id: x, {rule}}}").rows
    assert [row.name for row in rows] == ["unauthenticated", "authenticated", "a", "all"]


@pytest.mark.parametrize(
    "rule",
    ["allow: a, to: r", "deny: anyone, to: r", "allow: unauthenticated, to: r", "allow: {all: [all, {not: a}]}, to: r"],
)
def test_authenticated_is_no_row_where_no_rule_is_about_it(rule: str) -> None:
    assert "authenticated" not in [row.name for row in matrix(TWO + f"  - {{id: x, {rule}}}").rows]


def test_a_grpc_route_is_its_calls_and_a_deny_of_it_hits_them() -> None:
    text = (
        HEAD
        + """
identities: {a: {uri: "spiffe://td/a"}}
routes: {calls: {hosts: [h], grpc: ["p.S/*"]}}
rules:
  - {id: x, allow: a, to: calls}
  - {id: y, deny: a, to: calls, mode: shadow}
"""
    )
    found = cell(matrix(text), "a", "calls")
    assert (found.verdict, found.shadow) == (Verdict.ALLOW, Verdict.DENY)


MANY = """
identities: {a: {uri: "spiffe://td/a"}, b: {uri: "spiffe://td/b"}, all: {uri: "spiffe://td/**"}}
routes: {r: {hosts: [h], methods: [GET], paths: [/x]}, wide: {hosts: [h]}}
rules:
  - {id: each, allow: [a, b], to: [r, wide]}
"""


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("  - {id: x, allow: all, to: [r, wide]}", "more than 9 pairs .* of `x`: 6"),
        ("  - {id: x, deny: all, to: any}\n  - {id: y, deny: all, to: any}", "more than 9 pairs .* of `each`: 6"),
        ("  - {id: x, deny: all, to: any}", "6 cells would have 15 rules in them"),
        ("  - {id: x, deny: anyone, to: wide}", "6 cells would have 14 rules in them"),
    ],
)
def test_more_than_can_be_shown_is_refused_with_what_is_too_much(
    rules: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policies.authoring.matrix.matrix.MAX_MATRIX_USES", 9)
    with pytest.raises(MatrixTooLargeError, match=said):
        matrix(MANY + rules)


def test_as_much_as_can_be_shown_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.authoring.matrix.matrix.MAX_MATRIX_USES", 6)
    assert len(matrix(MANY).own) == 6
