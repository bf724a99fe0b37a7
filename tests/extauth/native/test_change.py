"""Whom Envoy asks about between two policies: whoever is listed or named anew, nobody else, and it only asks."""

import json

import pytest

from extauth.native import change as module
from extauth.native.change import (
    NO_CHANGE,
    Change,
    change_from_policies,
    heeding_changes,
    matcher_from_change,
)
from extauth.native.compile import Compiled, asking_everything
from extauth.native.matcher import CHANGE, action
from policies.engine.policy_set import PolicySet
from policies.peer.certificate import IdentityFacts
from tests.engine.callers import policy as policy_of_text
from tests.engine.callers import request
from tests.extauth.native.interpreter import Seen, decided, seen_from_request
from tests.extauth.native.world import FILES, LEAF, ROOT, policy_of

A, B = "spiffe://acme.internal/a", "spiffe://acme.internal/b"
NAMES = f'identities: {{a: {{uri: "{A}"}}, b: {{uri: "{B}"}}, both: {{any: [a, b]}}, far: {{dns: far.example}}}}\n'
RULES = (
    NAMES + "rules:\n  - {id: reads, allow: a, to: {paths: [/v1]}}\n  - {id: all, allow: both, to: {paths: [/v2]}}\n"
)
PIN = "sha256:" + "ab" * 32


def change(after: str, before: str = RULES) -> Change:
    return change_from_policies(policy_of(before), policy_of(after))


def of_uris(*uris: str) -> frozenset[str]:
    return frozenset(f"{uri}|-|-|-" for uri in uris)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("deny: b, to: any", Change(sans=of_uris(B))),
        ("deny: both, to: any", Change(sans=of_uris(A, B))),
        ("deny: [a, b], to: any", Change(sans=of_uris(A, B))),
        ("deny: far, to: {paths: [/v1]}", Change(sans=frozenset({"-|far.example|-|-"}))),
        (f'deny: {{uri: "{B}", fingerprint: "{PIN}"}}, to: any', Change(sans=of_uris(B))),
        ('deny: {serial: "0a1b"}, to: any', Change(serials=frozenset({0xA1B}))),
        ("allow: b, to: {paths: [/v3]}", Change(sans=of_uris(B))),
        ("deny: anyone, to: any", NO_CHANGE),
        ("deny: authenticated, to: any", NO_CHANGE),
        (f'deny: {{fingerprint: "{PIN}"}}, to: any', NO_CHANGE),
        ('deny: {uri: "spiffe://acme.internal/*"}, to: any', NO_CHANGE),
        (f'deny: [b, {{fingerprint: "{PIN}"}}], to: any', NO_CHANGE),
        ("deny: {not: b}, to: any", NO_CHANGE),
        ("deny: b, to: any, mode: shadow", NO_CHANGE),
    ],
)
def test_callers_that_a_new_rule_names_are_asked_about_and_no_whole_classes(rule: str, expected: Change) -> None:
    assert change(f"{RULES}  - {{id: new, {rule}}}\n") == expected
    assert change(RULES, f"{RULES}  - {{id: new, {rule}}}\n") == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("paths: [/v1]", "paths: [/v9]", of_uris(A)),
        ("allow: a,", "deny: a,", of_uris(A)),
        ("allow: a,", "allow: b,", of_uris(A, B)),
        (f'a: {{uri: "{A}"}}', f'a: {{uri: "{A}/x"}}', of_uris(A, B, f"{A}/x")),
        ("paths: [/v2]}", "paths: [/v2]}, from: 10.0.0.0/8", of_uris(A, B)),
        ("paths: [/v2]}", "paths: [/v2]}, when: {after: 2020-01-01T00:00:00Z}", of_uris(A, B)),
        ("paths: [/v2]}", "paths: [/v2]}, mode: shadow", of_uris(A, B)),
        ("paths: [/v2]}", "paths: [/v2]}, description: words, labels: {a: b}", of_uris()),
        ("id: reads", "id: read", of_uris(A)),
    ],
)
def test_callers_of_a_rule_that_is_another_are_asked_about(old: str, new: str, expected: frozenset[str]) -> None:
    assert change(RULES.replace(old, new)) == Change(sans=expected)
    assert change(RULES, RULES.replace(old, new)) == Change(sans=expected)


def test_the_same_rules_elsewhere_in_a_policy_are_no_change() -> None:
    moved = RULES.replace("rules:\n", "rules:\n  - {id: first, deny: far, to: {hosts: [x.example]}}\n")
    assert change(moved) == Change(sans=frozenset({"-|far.example|-|-"}))
    zoned = RULES + "  - {id: z, deny: b, not_from: 10.0.0.0/8, to: any}\n"
    assert change(zoned, zoned) == NO_CHANGE


def test_what_a_crl_lists_anew_or_no_more_is_asked_about() -> None:
    trust = "trust: {mesh: {anchors: [pki/mesh.pem], spiffe_trust_domain: acme.internal, crls: [m.crl]%s}}\n"

    def listing(serials: list[int], number: int, more: str = "") -> PolicySet:
        return policy_of_text(trust % more + RULES, {**FILES, "m.crl": ROOT.crl(serials, number=number)})

    def between(before: list[int], after: list[int], more: str = "") -> Change:
        return change_from_policies(listing(before, 1, more), listing(after, 2, more))

    assert between([7], [7, 9]) == Change(serials=frozenset({9}))
    assert between([7, 9], [7, 11]) == Change(serials=frozenset({9, 11}))
    assert between([7, 9], [9, 7]) == NO_CHANGE
    assert between([7], [7, 9], ", revocation: off") == NO_CHANGE


def seen(uri: str, serial: str = "1") -> Seen:
    return seen_from_request(request(target="/v1"), IdentityFacts(uri=(uri,)), serial, LEAF)


def test_who_is_marked_is_told_by_name_or_by_serial_number_as_envoy_writes_it() -> None:
    found = matcher_from_change(Change(frozenset({0xA1B}), of_uris(A)))
    assert found is not None
    assert decided(found, seen(A)) == decided(found, seen(B, "a1b")) == decided(found, seen(B, "0a1b")) == "ask:change"
    assert decided(found, seen(B)) is None
    only_names, only_serials = matcher_from_change(Change(sans=of_uris(A))), matcher_from_change(Change(frozenset({1})))
    assert only_names is not None
    assert only_serials is not None
    assert (decided(only_names, seen(A)), decided(only_names, seen(B))) == ("ask:change", None)
    assert (decided(only_serials, seen(A)), decided(only_serials, seen(A, "2"))) == ("ask:change", None)
    assert matcher_from_change(NO_CHANGE) is None
    assert matcher_from_change(Change(frozenset({-5}))) is None, "an empty look-up would be refused by Envoy"
    assert matcher_from_change(Change(frozenset({-5}), of_uris(A))) == only_names


def test_a_change_only_asks_and_what_it_does_not_mark_is_decided_as_before() -> None:
    compiled = Compiled(action("allow:a@g", permits=True), None, None)
    heeding = heeding_changes(Compiled({"on_no_match": compiled.decides}, None, None))
    states = {"-": "allow:a@g", "ask:change": "ask:change", "": "ask:change"}
    for state, expected in states.items():
        assert decided(heeding, _marked(state)) == expected
    assert decided(heeding, _marked(None)) == "ask:change"
    assert "allow" not in json.dumps(matcher_from_change(Change(frozenset({1}), of_uris(A)))).replace("ALLOW", "")
    assert decided(heeding_changes(asking_everything("no-policy")), _marked("-")) == "ask:no-policy"


def _marked(state: str | None) -> Seen:
    plain = seen(A)
    return Seen(plain.state if state is None else {**plain.state, CHANGE: state}, plain.headers, plain.source)


def test_more_than_a_small_filter_holds_waits_for_the_policy_and_who_is_asked_about_stays_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_CHANGED_SERIALS", 2)
    monkeypatch.setattr(module, "MAX_CHANGED_CALLERS", 1)
    both = Change(frozenset({1}), of_uris(A)).joined(Change(frozenset({2}), of_uris(A)))
    assert both == Change(frozenset({1, 2}), of_uris(A))
    assert both.joined(Change(frozenset({3}), of_uris(A))) == both
    assert both.joined(Change(frozenset({2}), of_uris(B))) == both
    assert both.narrowed(Change(frozenset({3, 4}))) == Change(frozenset({3, 4}))
    assert both.narrowed(Change(frozenset({2, 3, 4}), of_uris(B))) == Change(frozenset({2}), of_uris(B))
