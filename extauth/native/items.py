"""The rules about one class of callers as steps that Envoy takes in order: what denies, what is asked, what allows.

A deny beats any allow (law 1). So whatever may deny comes before whatever may allow, and a rule of which Envoy does not
see enough is asked in its place. An allow that sets headers is asked before others allow, so that they are set.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from extauth.native.callers import NativeCaller
from policies.engine.condition import Origin
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.reason import Effect


class Step(IntEnum):
    """What is done, in this order."""

    DENY = 0
    ASK_FIRST = 1
    ALLOW = 2
    ASK_LAST = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One rule in one place. `place` None = any request. `why` (asked steps): what Envoy cannot say."""

    step: Step
    rule: str
    place: Alternative | None
    origin: Origin | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Masks:
    """The rules of a class, one bit each, sorted out by what Envoy knows of the caller."""

    allow: int
    deny: int
    unsure: int
    missed: int

    @classmethod
    def of(cls, caller: NativeCaller) -> "Masks":
        """All the rules about `caller`."""
        return cls(caller.allow, caller.deny, caller.unsure, caller.missed)

    def common(self, other: "Masks") -> "Masks":
        """What holds of both."""
        return Masks(
            self.allow & other.allow, self.deny & other.deny, self.unsure & other.unsure, self.missed & other.missed
        )

    def without(self, other: "Masks") -> "Masks":
        """What `other` does not say already."""
        return Masks(
            self.allow & ~other.allow,
            self.deny & ~other.deny,
            self.unsure & ~other.unsure,
            self.missed & ~other.missed,
        )


class Items:
    """The items of every rule of a policy, made once."""

    def __init__(self, policy: PolicySet) -> None:
        self._policy = policy
        self._known: dict[tuple[int, bool], tuple[Item, ...]] = {}

    def of(self, masks: Masks) -> tuple[Item, ...]:
        """The items of the rules in `masks`, in the order of their steps and, within one, of rule ids."""
        policy = self._policy
        sure = policy.positions_in(masks.allow | masks.deny)
        unsure = policy.positions_in(masks.unsure | masks.missed)
        found = [item for position in sure for item in self._items(position, known=True)]
        found += [item for position in unsure for item in self._items(position, known=False)]
        return tuple(sorted(found, key=lambda item: item.step))

    def split(self, masks: Masks) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
        """The items of `masks`: those that come before any allow, and the others."""
        items = self.of(masks)
        first = tuple(item for item in items if item.step <= Step.ASK_FIRST)
        return first, items[len(first) :]

    def _items(self, position: int, *, known: bool) -> tuple[Item, ...]:
        items = self._known.get((position, known))
        if items is None:
            rule = self._policy.rules[position]
            items = self._known[position, known] = tuple(self._made(rule, _unsaid(rule, known=known)))
        return items

    def _made(self, rule: Rule, why: str) -> Iterable[Item]:
        places = [way for route in rule.routes for way in self._policy.routes[route].alternatives]
        for place in [None] if rule.anywhere else places:
            unsaid = why or ("headers" if place is not None and place.headers else "")
            yield Item(_step(rule, unsaid), rule.id, place, None if unsaid else rule.origin, unsaid)


def unsaid_of_rule(rule: Rule) -> str:
    """What Envoy cannot say of a rule whose callers it knows; empty if nothing."""
    return _unsaid(rule, known=True)


def _unsaid(rule: Rule, *, known: bool) -> str:
    if not known:
        return "identity"
    if rule.when is not None:
        return "when"
    if rule.joins:
        return "binding"
    return "set_headers" if rule.set_headers else ""


def _step(rule: Rule, unsaid: str) -> Step:
    if rule.effect is Effect.DENY:
        return Step.ASK_FIRST if unsaid else Step.DENY
    if not unsaid:
        return Step.ALLOW
    return Step.ASK_FIRST if rule.set_headers else Step.ASK_LAST
