"""What its author edited for a change to come about, in words."""

from collections.abc import Mapping

from policies.authoring.diff.comparison import Change, Comparison
from policies.authoring.diff.literal import MethodIn
from policies.authoring.diff.parts import Place, RuleParts
from policies.authoring.diff.wording import caller_text, conditions, path_text
from policies.reason import Effect

#: Words that came or went of one aspect that are spelled out.
_MOST = 3


class Edits:
    """The edits between two policies. `entries`: the name of a trust entry in both -> one that people know."""

    def __init__(self, comparison: Comparison, entries: Mapping[str, str]) -> None:
        self._comparison = comparison
        self._entries = entries
        self._known: dict[str, str] = {}

    def behind(self, change: Change) -> str:
        """The edit of the rule that allows, or of the one that denies on the other side."""
        if change.deny is None:
            return self._edit_of(change.allow.rule.id) or f"trust entries, for rule {change.allow.rule.id}"
        rule_id = change.deny.rule.id
        if change.deny.rule.effect is Effect.ALLOW:
            headers = ", ".join(name for name, _ in change.deny.rule.set_headers)
            return f"rule {rule_id}: sets {headers} otherwise than another rule"
        return self._edit_of(rule_id) or f"rule {rule_id}"

    def _edit_of(self, rule_id: str) -> str:
        if rule_id not in self._known:
            self._known[rule_id] = self._of_rule(rule_id)
        return self._known[rule_id]

    def _of_rule(self, rule_id: str) -> str:
        """How the rule of that id differs; empty if it does not."""
        both = self._comparison.old, self._comparison.new
        old, new = (parts.rules.get(rule_id) for parts in both)
        if old is None or new is None:
            shadowed = rule_id in both[0 if old is None else 1].policy.rule_ids
            words = ("added", "no longer in shadow mode") if old is None else ("removed", "now in shadow mode")
            return f"rule {rule_id}: {words[shadowed]}"
        if old.rule.effect is not new.rule.effect:
            return f"rule {rule_id}: {old.rule.effect} -> {new.rule.effect}"
        edits = [_edit(what, before, self._aspects(new)[what]) for what, before in self._aspects(old).items()]
        return f"rule {rule_id}: {', '.join(filter(None, edits))}" if any(edits) else ""

    def _aspects(self, rule: RuleParts) -> dict[str, frozenset[str]]:
        return {
            "callers": frozenset(caller_text(caller, self._entries) for caller in rule.callers),
            "hosts": frozenset(str(place.host or "any") for place in rule.places),
            "methods": frozenset(_method(place) for place in rule.places),
            "paths": frozenset(path_text(place.path) or "any" for place in rule.places),
            "conditions": frozenset(" ".join(conditions(place)) or "none" for place in rule.places),
        }


def _method(place: Place) -> str:
    methods = [literal.condition.methods for literal in place.literals if isinstance(literal.condition, MethodIn)]
    return ", ".join(sorted(methods[0])) if methods else "any"


def _edit(what: str, before: frozenset[str], after: frozenset[str]) -> str:
    """`methods +DELETE -GET`; empty if nothing changed."""
    if before == after:
        return ""
    signed = [*_signed("+", after - before), *_signed("-", before - after)]
    return f"{what} {' '.join(signed)}"


def _signed(sign: str, words: frozenset[str]) -> list[str]:
    listed = sorted(words)
    shown = [f"{sign}{word}" for word in listed[:_MOST]]
    return [*shown, f"{sign}{len(listed) - _MOST} more"] if len(listed) > _MOST else shown
