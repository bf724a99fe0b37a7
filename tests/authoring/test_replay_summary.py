"""The summary of a replay: what is counted, how changes are grouped, and that memory does not grow with the traffic."""

import json
from collections.abc import Iterable

import pytest

from policies.authoring.replay import Replay
from policies.authoring.replay_summary import Summary
from tests.authoring.policies import POLICY, policy_from_text

BILLING = {"uri": "spiffe://acme.internal/ns/prod/sa/billing"}
READ = {"identity": BILLING, "method": "GET", "host": "invoices.prod.svc", "path": "/v1/invoices/1"}


def summary(*lines: object, text: str = POLICY) -> Summary:
    replay, found = Replay(policy_from_text(text), lambda: 0.0), Summary()
    for line in lines:
        found.add(replay.judged(line if isinstance(line, bytes) else json.dumps(line).encode()))
    return found


def said(found: Summary) -> Iterable[tuple[str, str, int]]:
    for before, now, group in found.sorted_groups():
        yield f"{before.effect} {','.join(before.rules)}", f"{now.effect} {','.join(now.rules)}", group.count


def test_what_is_decided_as_before_is_counted_and_makes_no_group() -> None:
    found = summary(READ | {"effect": "allow", "rules": ["billing-reads"]})
    assert (found.lines, found.allowed, found.changed, found.by_other_rules, found.groups) == (1, 1, 0, 0, {})


def test_changes_are_grouped_by_the_rules_before_and_now_and_wider_access_comes_first() -> None:
    closed = READ | {"path": "/v2", "effect": "allow", "rules": ["old"]}
    opened = READ | {"effect": "deny", "rules": ["lock"]}
    found = summary(closed, opened, closed)
    assert list(said(found)) == [("deny lock", "allow billing-reads", 1), ("allow old", "deny ", 2)]
    assert (found.widened, found.narrowed, found.changed) == (1, 2, 3)


def test_the_same_effect_by_other_rules_is_counted_and_is_no_change() -> None:
    found = summary(READ | {"effect": "allow", "rules": ["old-name"]})
    assert (found.by_other_rules, found.changed) == (1, 0)


def test_a_line_without_an_effect_is_no_change() -> None:
    found = summary(READ)
    assert (found.undecided, found.changed, found.allowed) == (1, 0, 1)


def test_a_line_that_cannot_be_read_is_denied_and_the_first_is_named() -> None:
    found = summary(READ, b"{", b"")
    assert (found.unreadable, found.denied) == (2, 2)
    assert found.first_unreadable is not None
    assert found.first_unreadable[0] == 2
    assert "not JSON" in found.first_unreadable[1]


def test_an_unreadable_line_that_was_allowed_is_a_change() -> None:
    found = summary({"effect": "allow", "method": 7})
    assert (found.narrowed, found.unreadable) == (1, 1)


def test_an_example_says_which_decision_it_was() -> None:
    line = READ | {"effect": "deny", "decision_id": "ab12", "time": "2026-01-01T00:00:00Z"}
    ((_, _, group),) = summary(READ, line).sorted_groups()
    (example,) = group.examples
    assert (example.line, example.decision_id, example.time) == (2, "ab12", "2026-01-01T00:00:00Z")
    assert (example.caller, example.method, example.host, example.path) == (
        BILLING["uri"],
        "GET",
        "invoices.prod.svc",
        "/v1/invoices/1",
    )


def test_of_a_group_the_first_lines_are_kept_and_long_texts_are_cut() -> None:
    line = READ | {"effect": "deny", "path": "/v1/invoices/" + "x" * 5000, "decision_id": "y" * 5000}
    ((_, _, group),) = summary(*[line] * 10).sorted_groups()
    assert (group.count, [example.line for example in group.examples]) == (10, [1, 2, 3])
    assert max(len(group.examples[0].path), len(group.examples[0].decision_id)) == 300


def test_hostile_rules_and_ids_make_no_group_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.authoring.replay_summary.MAX_CHANGE_GROUPS", 5)
    lines = [READ | {"effect": "deny", "rules": [f"r{n}"] * 500, "decision_id": {"a": n}} for n in range(20)]
    found = summary(*lines)
    assert (len(found.groups), found.left_out, found.changed) == (5, 15, 20)
    assert max(len(before.rules) for before, _ in found.groups) == 50
