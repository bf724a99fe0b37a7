"""Whose a change is, and where: an identity by its name where that says it all, else what a certificate must have."""

from collections.abc import Mapping, Sequence

from policies.authoring.diff.comparison import Change, Comparison
from policies.authoring.diff.literal import GrpcContent, Literals, MethodIn
from policies.authoring.diff.parts import Part, Place, PolicyParts
from policies.authoring.diff.ways import TooIntricateError
from policies.authoring.diff.wording import caller_text
from policies.authoring.lint.implication import covers_pattern, implies
from policies.reason import Effect


class Callers:
    """The callers of the changes of one pair of rules. `entries`: the name in both policies -> one that people know."""

    def __init__(self, changes: Sequence[Change], comparison: Comparison, entries: Mapping[str, str]) -> None:
        first = changes[0]
        both = comparison.new, comparison.old
        self._allows, self._denies = both if first.widening else both[::-1]
        self._entries = entries
        places: dict[int, dict[Literals, set[Place]]] = {}
        for change in changes:
            of_identity = places.setdefault(change.allow.identity, {})
            of_identity.setdefault(change.allow.caller, set()).add(change.allow.place)
        callers = self._allows.rules[first.allow.rule.id].callers
        #: Identities all of whose alternatives have the same places, so that the name says it.
        self._whole = {
            identity
            for identity, found in places.items()
            if len(found) == sum(1 for position in callers.values() if position == identity)
            and all(one == next(iter(found.values())) for one in found.values())
        }

    def text(self, change: Change) -> str:
        """The callers of `change`."""
        allow = self._named(change.allow, self._allows, self._denies, whole=change.allow.identity in self._whole)
        if change.deny is None or change.deny.rule.effect is Effect.ALLOW:
            return allow
        # One request was looked for in all that the two rules have in common.
        whole = self._named(change.allow, self._allows, self._denies, whole=True)
        deny = self._named(change.deny, self._denies, self._allows, whole=True)
        mine = self._allows.policy.identities[change.allow.identity].selector
        its = self._denies.policy.identities[change.deny.identity].selector
        if implies(mine, its):
            return whole
        return deny if implies(its, mine) else f"{whole} that is also {deny}"

    def _named(self, part: Part, own: PolicyParts, other: PolicyParts, *, whole: bool) -> str:
        name = own.policy.identities[part.identity].name
        text = caller_text(part.caller, self._entries)
        if not name:
            return text
        same = _ways(own, name, part.rule.effect) == _ways(other, name, part.rule.effect)
        return name if whole and same else f"{name} ({text})"


def common_place(change: Change) -> Place:
    """Where both the allow part and the deny part of `change` hold, as narrow as one of them says it."""
    allow = change.allow.place
    if change.deny is None or change.deny.rule.effect is Effect.ALLOW:
        return allow
    deny = change.deny.place
    host, path = deny.host, deny.path
    if host is None or (allow.host is not None and host.covers(allow.host)):
        host = allow.host
    if path is None or (allow.path is not None and covers_pattern(path, allow.path)):
        path = allow.path
    methods = any(isinstance(literal.condition, MethodIn) for literal in deny.literals)
    kept = {item for item in allow.literals if not (methods and isinstance(item.condition, MethodIn | GrpcContent))}
    return Place(host, path, deny.literals | kept)


def _ways(parts: PolicyParts, name: str, effect: Effect) -> frozenset[Literals] | None:
    """The alternatives of the identity `name`; None if there is none of that name."""
    position = parts.positions.get(name)
    try:
        return None if position is None else frozenset(parts.ways.of(position, effect))
    except TooIntricateError:
        return None
