"""Pairs of allow rules that may set one header to different values, which denies the request (law 7)."""

from collections.abc import Hashable, Iterable, Mapping
from itertools import combinations

from policies.authoring.diff.literal import CallerIs
from policies.authoring.diff.parts import PolicyParts, RuleParts
from policies.engine.rule import Rule
from policies.engine.selector import UriIs


class Disagreements:
    """The pairs of one policy, by a key that is equal for pairs that disagree about the same requests."""

    def __init__(self, policy: PolicyParts, limit: int) -> None:
        """`limit`: how many pairs are looked at; if there are more, `pairs` is empty and `too_many` set."""
        setters: dict[str, list[RuleParts]] = {}
        for rule in policy.rules.values():
            for name, _ in rule.rule.set_headers:
                setters.setdefault(name, []).append(rule)
        self.too_many = sum(len(rules) ** 2 for rules in setters.values()) > limit
        self._names = frozenset((one.name, one.selector) for one in policy.policy.identities if one.name)
        self.setters = frozenset(self._setter(rule) for rules in setters.values() for rule in rules)
        self.pairs: Mapping[Hashable, tuple[RuleParts, RuleParts]] = (
            {} if self.too_many else dict(self._found(setters.values()))
        )

    def _setter(self, rule: RuleParts) -> Hashable:
        """Equal for rules that set the same headers on the same requests to the same values."""
        told = any("identity.name" in template.names for _, template in rule.rule.set_headers)
        return rule.key, rule.rule.set_headers, self._names if told else None

    def _found(self, setters: Iterable[list[RuleParts]]) -> Iterable[tuple[Hashable, tuple[RuleParts, RuleParts]]]:
        for rules in setters:
            for one, other in combinations(rules, 2):
                if may_disagree(one.rule, other.rule):
                    yield frozenset((self._setter(one), self._setter(other))), (one, other)


def may_disagree(one: Rule, other: Rule) -> bool:
    """Whether they may give one header two values."""
    told = dict(one.set_headers)
    return any(
        name in told and (told[name] != template or bool(template.captures)) for name, template in other.set_headers
    )


def is_open(one: RuleParts, other: RuleParts) -> bool:
    """Whether the most general request of the two may have a header from them alike that another one has not.

    It says of its caller no more than it must, and of several values that a name in braces may have it shows one order.
    """
    told = dict(one.rule.set_headers)
    names: set[str] = set()
    for name, template in other.rule.set_headers:
        if name in told and (told[name] != template or template.captures):
            names.update(told[name].names, template.names)
    return any(name.startswith("identity.") for name in names) or bool(
        names and (_binds_in_several_ways(one) or _binds_in_several_ways(other))
    )


def _binds_in_several_ways(rule: RuleParts) -> bool:
    """Whether the names in braces of `rule` may have several values at one request."""
    of_callers = {
        literal.condition.selector
        for caller in rule.callers
        for literal in caller
        if isinstance(literal.condition, CallerIs) and literal.condition.selector.may_bind
    }
    sole = all(isinstance(selector, UriIs) and selector.trust is not None for selector in of_callers)
    return len(of_callers) > 1 or not sole or len(rule.by_target) > 1


def depends_on_caller(rule: Rule) -> bool:
    """Whether what `rule` sets is not the same for every request."""
    return any(template.names for _, template in rule.set_headers)
