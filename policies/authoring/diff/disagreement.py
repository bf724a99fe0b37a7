"""Pairs of allow rules that may set one header to different values, which denies the request (law 7)."""

from collections.abc import Hashable, Iterable, Mapping
from itertools import combinations

from policies.authoring.diff.parts import PolicyParts, RuleParts
from policies.engine.rule import Rule


class Disagreements:
    """The pairs of one policy, by a key that is equal for pairs that disagree about the same requests."""

    def __init__(self, policy: PolicyParts, limit: int) -> None:
        """`limit`: how many pairs are looked at; if there are more, `pairs` is empty and `too_many` set."""
        setters: dict[str, list[RuleParts]] = {}
        for rule in policy.rules.values():
            for name, _ in rule.rule.set_headers:
                setters.setdefault(name, []).append(rule)
        self.too_many = sum(len(rules) ** 2 for rules in setters.values()) > limit
        self.setters = frozenset((rule.key, rule.rule.set_headers) for rules in setters.values() for rule in rules)
        self.pairs: Mapping[Hashable, tuple[RuleParts, RuleParts]] = (
            {} if self.too_many else dict(self._found(setters.values()))
        )

    @staticmethod
    def _found(setters: Iterable[list[RuleParts]]) -> Iterable[tuple[Hashable, tuple[RuleParts, RuleParts]]]:
        for rules in setters:
            for one, other in combinations(rules, 2):
                if may_disagree(one.rule, other.rule):
                    yield frozenset((rule.key, rule.rule.set_headers) for rule in (one, other)), (one, other)


def may_disagree(one: Rule, other: Rule) -> bool:
    """Whether they may give one header two values."""
    told = dict(one.set_headers)
    return any(
        name in told and (told[name] != template or bool(template.captures)) for name, template in other.set_headers
    )


def depends_on_caller(rule: Rule) -> bool:
    """Whether what `rule` sets is not the same for every request."""
    return any(template.names for _, template in rule.set_headers)
