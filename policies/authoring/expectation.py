"""`expect: allow|deny [by RULE[, RULE]] [because REASON]`: what a policy test claims about a decision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from policies.authoring.limits import MAX_EXPECTATION_CHARS
from policies.engine.decision import Decision
from policies.engine.rule import Rule
from policies.language.codes import Code
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.wording import quoted
from policies.reason import Effect, Reason

_FORM = re.compile(r"(\S+)(?:\s+by\s+(.*?))?(?:\s+because\s+(\S+))?", re.DOTALL)
_REASONS = Vocabulary(Reason)


class ExpectationError(ValueError):
    """Not an expectation, or one that no decision could meet. `hint`: what to write; `code`: the kind of problem."""

    def __init__(self, message: str, hint: str = "", code: Code = Code.VALUE_INVALID) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold of a decision: its effect, each of `rules` among those that decided, and its reason if named."""

    effect: Effect
    rules: tuple[str, ...] = ()
    reason: Reason | None = None

    @classmethod
    def parse(cls, text: str, rules_by_id: Mapping[str, Rule]) -> Self:
        """Raises ExpectationError, also for rules that the policy does not have or that could never decide so."""
        match = _FORM.fullmatch(text.strip()) if len(text) <= MAX_EXPECTATION_CHARS else None
        if match is None or match[1] not in frozenset(Effect):
            raise ExpectationError(
                f"{quoted(text)} is no expectation", "write `allow` or `deny`, then `by RULE` and `because REASON`"
            )
        effect = Effect(match[1])
        rules = tuple(rule.strip() for rule in match[2].split(",")) if match[2] is not None else ()
        for rule in rules:
            _check_rule(rule, effect, rules_by_id)
        reason = _reason(match[3], effect, rules) if match[3] is not None else None
        return cls(effect, rules, reason)

    def is_met_by(self, decision: Decision) -> bool:
        """Whether the decision is as expected."""
        return (
            decision.effect is self.effect
            and set(self.rules).issubset(decision.rules)
            and self.reason in {None, decision.reason}
        )

    def __str__(self) -> str:
        """As it is written."""
        rules = f" by {', '.join(self.rules)}" if self.rules else ""
        return f"{self.effect}{rules}{f' because {self.reason}' if self.reason else ''}"


def _check_rule(rule: str, effect: Effect, rules_by_id: Mapping[str, Rule]) -> None:
    found = rules_by_id.get(rule)
    if found is None:
        hint = did_you_mean(rule, Vocabulary(rules_by_id))
        raise ExpectationError(f"the policy has no rule {quoted(rule)}", hint, Code.NAME_UNKNOWN)
    if found.shadow:
        raise ExpectationError(f"the rule {quoted(rule)} is in shadow mode and decides nothing", "leave out `by`")
    if found.effect is not effect:
        raise ExpectationError(f"the rule {quoted(rule)} can only {found.effect}", f"expect `{found.effect} by {rule}`")


def _reason(word: str, effect: Effect, rules: tuple[str, ...]) -> Reason:
    if word not in frozenset(Reason):
        raise ExpectationError(f"{quoted(word)} is no reason", did_you_mean(word, _REASONS))
    reason = Reason(word)
    allowing = reason is Reason.ALLOWED_BY_RULE
    if allowing is not (effect is Effect.ALLOW):
        raise ExpectationError(
            f"no request is {'allowed' if effect is Effect.ALLOW else 'denied'} because of {quoted(word)}",
            "an allow has the reason allowed_by_rule, a deny any other",
        )
    if rules and reason not in {Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE}:
        raise ExpectationError(f"no rule decides {quoted(word)}", "leave out `by`, or expect denied_by_rule")
    return reason
