"""Edits by hand: every one that lets more through is found, and none that changes nothing is reported."""

import json

import pytest

from peergate.reports.witness import lines_of_witness
from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.findings import Difference, difference
from policies.authoring.replay import Replay
from tests.authoring.diff.pairs import BASE, MIXED, REFACTORINGS, WIDENINGS, Edit
from tests.authoring.policies import policy_from_text
from tests.engine.callers import NOW


def compared(old: str, new: str) -> tuple[Comparison, Difference]:
    comparison = Comparison(policy_from_text(old), policy_from_text(new), NOW)
    return comparison, difference(comparison)


def edited(edit: Edit) -> str:
    assert edit.old in BASE
    return BASE.replace(edit.old, edit.new)


def effects(comparison: Comparison, found: Difference) -> list[tuple[bool, object, object]]:
    """Of each finding, whether it widens, and what a replay of its witness answers under both policies."""
    replays = [Replay(side.policy, lambda: NOW) for side in (comparison.old, comparison.new)]
    answered = []
    for finding in found.findings:
        lines = lines_of_witness(finding.witness, comparison)
        old, new = (
            replay.answer(json.dumps(line).encode())["effect"] for replay, line in zip(replays, lines, strict=True)
        )
        answered.append((finding.widening, old, new))
    return answered


@pytest.mark.parametrize("edit", WIDENINGS, ids=lambda edit: edit.name)
def test_a_widening_is_found_with_its_rule_and_its_witness_replays_differently(edit: Edit) -> None:
    comparison, found = compared(BASE, edited(edit))
    assert edit.rule in {
        rule for finding in found.findings for rule in (finding.allow, finding.deny) if finding.widening
    }
    assert found.unproved == ()
    for widening, old, new in effects(comparison, found):
        assert (old, new) == (("deny", "allow") if widening else ("allow", "deny"))


@pytest.mark.parametrize("edit", WIDENINGS, ids=lambda edit: edit.name)
def test_the_same_edit_taken_back_only_narrows(edit: Edit) -> None:
    _, found = compared(edited(edit), BASE)
    assert found.findings
    assert found.may_narrow
    assert found.may_widen is (edit.name in MIXED)


@pytest.mark.parametrize("edit", REFACTORINGS, ids=lambda edit: edit.name)
def test_a_refactoring_that_changes_no_verdict_is_no_difference(edit: Edit) -> None:
    _, found = compared(BASE, edited(edit))
    assert found.is_empty, found
    _, back = compared(edited(edit), BASE)
    assert back.is_empty


def test_rules_in_another_order_and_in_two_files_are_no_difference() -> None:
    head, _, rules = BASE.partition("rules:\n")
    lines = rules.splitlines(keepends=True)
    _, found = compared(BASE, f"{head}rules:\n{''.join(reversed(lines))}")
    assert found.is_empty


def test_a_trust_entry_that_no_rule_needs_is_no_difference() -> None:
    trust = "trust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: td}"
    rules = "rules: [{id: r, allow: {uri: 'spiffe://td/a'}, to: any}]"
    _, found = compared(
        f"version: 1\n{trust}}}\n{rules}", f"version: 1\n{trust}, more: {{anchors: [partners.pem]}}}}\n{rules}"
    )
    assert found.is_empty


@pytest.mark.parametrize(
    ("before", "after", "widens", "narrows"),
    [
        ("max_lifetime: 90d", "max_lifetime: 30d", False, True),
        (", max_lifetime: 90d", "", True, False),
        ("max_lifetime: 90d", "max_lifetime: 90d, clock_skew: 5m", True, False),
        ("max_lifetime: 90d", "max_lifetime: 90d, min_rsa_bits: 4096", False, True),
        ("max_lifetime: 90d", "max_lifetime: 90d, revocation: off", True, False),
        ("[partners.pem]", "[partners.pem, mesh.pem]", True, False),
        ("[partners.pem]", "[mesh.pem]", True, True),
    ],
)
def test_a_setting_of_a_trust_entry_is_told_in_words(before: str, after: str, widens: bool, narrows: bool) -> None:
    _, found = compared(BASE, BASE.replace(before, after))
    assert (found.findings, found.unproved, found.is_empty) == ((), (), False)
    assert (found.may_widen, found.may_narrow) == (widens, narrows)


@pytest.mark.parametrize("widening", [True, False])
def test_strict_sni_is_one_finding(widening: bool) -> None:
    strict = f"strict_sni: true\n{BASE}"
    comparison, found = compared(*((strict, BASE) if widening else (BASE, strict)))
    (finding,) = found.findings
    assert (finding.widening, found.unproved) == (widening, ())
    assert finding.because == f"strict_sni {'no longer' if widening else 'now'} set"
    assert effects(comparison, found) == [(True, "deny", "allow") if widening else (False, "allow", "deny")]


def test_strict_sni_does_not_hide_what_else_was_edited() -> None:
    _, found = compared(f"strict_sni: true\n{BASE}", edited(WIDENINGS[0]))
    assert {finding.because for finding in found.findings} == {
        "strict_sni no longer set",
        "rule billing-reads: methods +DELETE",
    }


HEADERS = """
version: 1
trust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: td}}
rules:
  - {id: one, allow: {uri: "spiffe://td/*"}, to: {paths: [/a]}, set_headers: {x-role: reader}}
  - {id: two, allow: {uri: "spiffe://td/a"}, to: {paths: [/a]}, set_headers: {x-role: writer}}
"""


def test_rules_that_set_a_header_to_two_values_deny_and_that_is_a_difference() -> None:
    comparison, found = compared(HEADERS, HEADERS.replace("writer", "reader"))
    (finding,) = found.findings
    assert finding.widening
    assert "x-role" in finding.because
    assert effects(comparison, found) == [(True, "deny", "allow")]


def test_what_depends_on_a_name_in_a_header_is_not_called_equal() -> None:
    old = HEADERS.replace("/*", "/{name}").replace("reader", "'{name}'").replace("writer", "a")
    _, found = compared(old, old.replace("set_headers: {x-role: a}", "set_headers: {x-role: b}"))
    assert not found.is_empty
    assert found.may_narrow


CALLERS = """
version: 1
trust: {vendors: {anchors: [partners.pem]}}
identities: {v: {dns: a.x}}
rules:
  - {id: one, allow: v, to: {paths: [/a]}, set_headers: {x-role: v}}
  - {id: two, allow: v, to: {paths: [/a]}, set_headers: {x-role: VALUE}}
"""


@pytest.mark.parametrize("field", ["name", "uri", "dns", "email", "ip_san", "subject", "issuer", "serial"])
def test_rules_that_disagree_about_some_callers_only_are_not_called_equal_to_rules_that_agree(field: str) -> None:
    _, found = compared(CALLERS.replace("VALUE", "v"), CALLERS.replace("VALUE", f'"{{identity.{field}}}"'))
    assert found.may_narrow
    _, back = compared(CALLERS.replace("VALUE", f'"{{identity.{field}}}"'), CALLERS.replace("VALUE", "v"))
    assert back.may_widen


def test_an_identity_renamed_is_a_difference_where_a_header_tells_its_name() -> None:
    old = CALLERS.replace("VALUE", '"{identity.name}"')
    _, found = compared(old, old.replace("{v:", "{w:").replace("allow: v", "allow: w"))
    assert found.may_narrow
    _, more = compared(old, old.replace("{v:", "{w: {dns: '*.x'}, v:"))
    assert more.may_narrow


def test_who_is_denied_by_rules_that_disagree_is_told_with_the_identities_of_that_policy() -> None:
    old = CALLERS.replace(", set_headers: {x-role: VALUE}", "").replace("{v:", "{z: {dns: z.x}, v:")
    new = CALLERS.replace("VALUE", "w").replace("{v:", "{u: {dns: u.x}, b: {dns: b.x}, v:")
    _, found = compared(old, new)
    assert [(finding.widening, finding.callers) for finding in found.findings] == [(False, ("v",))]


def test_names_in_braces_that_several_sans_bind_are_not_called_equal() -> None:
    old = (
        CALLERS.replace("allow: v", 'allow: {dns: "{t}.x"}')
        .replace("VALUE", '"{t}"')
        .replace("x-role: v", 'x-role: "{t}"')
    ).replace("/a", '"/{t}"', 1)
    _, found = compared(old.replace(', set_headers: {x-role: "{t}"}}\n  -', "}\n  -"), old.replace("[/a]", "['/*']"))
    assert found.may_narrow


def test_headers_of_rules_that_never_meet_or_say_the_same_of_every_caller_are_no_difference() -> None:
    old = CALLERS.replace("VALUE", '"{identity.uri}"')
    apart = old.replace("/a", "/b", 1)
    _, found = compared(apart, apart.replace("{identity.uri}", "{identity.dns}"))
    assert found.is_empty
    same = old.replace("x-role: v", 'x-role: "{identity.uri}"')
    _, found = compared(same, same.replace("identity.uri", "identity.dns"))
    assert found.is_empty


def test_a_window_in_the_hour_that_the_clocks_show_twice_is_found() -> None:
    hour = "after: 2026-10-25T01:00:00Z, before: 2026-10-25T02:00:00Z"
    when = f"when: {{{hour}, hours: ['02:15-02:30'], timezone: Europe/Berlin}}"
    comparison, found = compared(CALLERS, f"{CALLERS}  - {{id: more, allow: v, to: {{paths: [/b]}}, {when}}}\n")
    assert effects(comparison, found) == [(True, "deny", "allow")]


@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_a_rule_of_many_headers_is_compared_one_header_after_the_other(effect: str) -> None:
    asked = ", ".join(f"x-h{number}: [a, b, c]" for number in range(40))
    rule = f"  - {{id: more, {effect}: {{dns: a.x}}, to: {{headers: {{{asked}}}}}}}\n"
    old = CALLERS.replace("VALUE", "v")
    comparison, found = compared(old, old + rule)
    assert found.findings
    assert set(effects(comparison, found)) == {
        (True, "deny", "allow") if effect == "allow" else (False, "allow", "deny")
    }


SERVER_NAMES = """
version: 1
strict_sni: true
trust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: td}}
rules:
  - {id: one, allow: authenticated, to: {paths: [/a]}, when: {sni: ["*.y.example"]}}
"""


def test_with_strict_sni_a_server_name_is_asked_of_the_host() -> None:
    comparison, found = compared(SERVER_NAMES, SERVER_NAMES.replace('"*.y', '"**.y'))
    (finding,) = found.findings
    assert finding.widening
    assert effects(comparison, found) == [(True, "deny", "allow")]


def test_the_deeper_of_two_patterns_decides_how_long_a_host_may_have_to_be() -> None:
    old = SERVER_NAMES.replace("/a]}", "/a], hosts: ['**.example']}")
    comparison, found = compared(old, old.replace('"*.y', '"*.z.y'))
    assert {finding.widening for finding in found.findings} == {True, False}
    assert all(answer in {(True, "deny", "allow"), (False, "allow", "deny")} for answer in effects(comparison, found))
