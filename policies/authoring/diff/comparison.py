"""Everything that one policy allows and the other denies, found out by asking for each part that is not in both.

A request that only NEW allows matches an allow part a of NEW. If OLD has a too, OLD denies it by a deny part d that NEW
has not. If OLD has not a, either no allow of OLD matches, or again a deny d of OLD does. So two kinds of questions are
complete: about every new a alone, and about every a with every d that is gone. Narrowing is the same, sides swapped.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from policies.authoring.diff.disagreement import Disagreements, is_open
from policies.authoring.diff.limits import MAX_CHANGES_OF_PAIR, MAX_DISAGREEMENTS, MAX_PARTS_OF_RULE
from policies.authoring.diff.literal import IS_TRUE, ClockIn, Literal, NotBefore, SniIsHost
from policies.authoring.diff.pairing import EntryPair, entry_pairs
from policies.authoring.diff.parts import Part, Place, PolicyParts, RuleParts
from policies.authoring.diff.points import Points
from policies.authoring.diff.search import Doubt, Search, Witness
from policies.authoring.diff.vocabulary import Vocabulary
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.reason import Effect


@dataclass(frozen=True, slots=True)
class Change:
    """Requests at which `allow` holds that only one policy allows. `widening`: the new one.

    `deny`: the part of a rule of the other policy that denies them there, as a deny rule, or as an allow rule that
    disagrees with another one about a header; None if nothing allows them there. `strict_sni`: it does, but for the
    server name, which is not the host, and so it is with every other request that it allows.
    """

    widening: bool
    allow: Part
    deny: Part | None
    witness: Witness
    strict_sni: bool = False


@dataclass(frozen=True, slots=True)
class Unproved:
    """A question without an answer: `rules` of the policy that might allow more, and of the one that denies it."""

    widening: bool
    rules: tuple[str, ...]
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found out; nothing is left out but what `unproved` says."""

    changes: tuple[Change, ...]
    unproved: tuple[Unproved, ...]


class Comparison:
    """Compares the rules of two policies. `now`: epoch seconds, the time of requests where no rule asks for one."""

    def __init__(self, old: PolicySet, new: PolicySet, now: float) -> None:
        self.pairs = entry_pairs(old, new)
        every = frozenset(pair.key for pair in self.pairs)
        # Where one of them is strict, both are compared as if they were, and what else the other allows is one change.
        strict = old.strict_sni or new.strict_sni
        self.old = PolicyParts(old, _keys(self.pairs, "old"), every, strict=strict)
        self.new = PolicyParts(new, _keys(self.pairs, "new"), every, strict=strict)
        vocabulary = Vocabulary((self.old, self.new))
        #: Whether any rule asks for a time.
        self.is_timed = not vocabulary.kinds.isdisjoint((NotBefore, ClockIn))
        points = Points(new, self.pairs, vocabulary, now)
        self.search = Search(points, self.pairs, self.old, self.new)
        self._unproved: dict[Unproved, None] = {
            Unproved(widening, (rule.id,), Doubt.TOO_MANY): None
            for rule in (*self.old.intricate, *self.new.intricate)
            for widening in (True, False)
        }

    def compared(self) -> Compared:
        """All changes and all doubts."""
        changes = [*self._changes(widening=True), *self._changes(widening=False)]
        return Compared(tuple(changes), tuple(self._unproved))

    def _changes(self, *, widening: bool) -> Iterator[Change]:
        mine, other = (self.new, self.old) if widening else (self.old, self.new)
        for part in self._own_parts(mine, other, Effect.ALLOW, widening=widening):
            yield from self._asked((part,), widening=widening)
        if other.policy.strict_sni and not mine.policy.strict_sni:
            yield from self._loosened(mine, widening=widening)
        found: Counter[tuple[str, str]] = Counter()
        allows = [rule for rule in mine.rules.values() if rule.rule.effect is Effect.ALLOW]
        for deny in self._own_parts(other, mine, Effect.DENY, widening=widening):
            for rule in allows:
                pair = rule.rule.id, deny.rule.id
                for allow in _meeting(rule, deny) if found[pair] < MAX_CHANGES_OF_PAIR else ():
                    changes = list(self._asked((allow, deny), widening=widening))
                    found[pair] += len(changes)
                    yield from changes
                    if found[pair] >= MAX_CHANGES_OF_PAIR:
                        break
        yield from self._disagreements(mine, other, widening=widening)

    def _loosened(self, mine: PolicyParts, *, widening: bool) -> Iterator[Change]:
        """The first request with another server name than its host that `mine` allows."""
        named = Literal(SniIsHost(), IS_TRUE)
        for rule in mine.rules.values():
            for part in _parts_of(rule) if rule.rule.effect is Effect.ALLOW else ():
                literals = part.place.literals - {named} | {named.negated()}
                other_name = replace(part, place=replace(part.place, literals=literals))
                for change in self._asked((other_name,), widening=widening):
                    yield replace(change, strict_sni=True)
                    return

    def _disagreements(self, mine: PolicyParts, other: PolicyParts, *, widening: bool) -> Iterator[Change]:
        """Requests that two allow rules of `other` deny together, as they disagree about a header."""
        here, there = Disagreements(mine, MAX_DISAGREEMENTS), Disagreements(other, MAX_DISAGREEMENTS)
        if (here.too_many or there.too_many) and here.setters != there.setters:
            self._unproved[Unproved(widening, (), Doubt.HEADERS)] = None
            return
        for key, (one, two) in there.pairs.items():
            if key in here.pairs:
                continue
            found = next(
                (
                    change
                    for parts in self._together(mine, one, two)
                    for change in self._asked(parts, widening=widening)
                ),
                None,
            )
            if found is not None:
                yield replace(found, deny=replace(found.deny or found.allow, rule=two.rule))
            elif is_open(one, two) and any(map(self.search.holds, self._together(mine, one, two))):
                self._unproved[Unproved(widening, (one.rule.id, two.rule.id), Doubt.HEADERS)] = None

    def _together(self, mine: PolicyParts, one: RuleParts, two: RuleParts) -> Iterator[tuple[Part, Part, Part]]:
        """Every alternative of `one` with every one of `two`, and with an allow of `mine` of the same requests."""
        for first in _parts_of(one):
            for second in _meeting(two, first):
                for allow in self._allowing(mine, first, second):
                    yield allow, first, second

    @staticmethod
    def _allowing(mine: PolicyParts, *parts: Part) -> Iterator[Part]:
        """The allow parts of `mine` that requests of `parts` may be in: one of these if `mine` has it, or all."""
        for part in parts:
            for rule in mine.with_caller(part.caller, Effect.ALLOW):
                if part.place in rule.place_set:
                    yield replace(part, rule=rule.rule, identity=rule.callers[part.caller])
                    return
        for rule in mine.rules.values():
            if rule.rule.effect is Effect.ALLOW:
                yield from _meeting(rule, parts[0])

    def _asked(self, parts: tuple[Part, ...], *, widening: bool) -> Iterator[Change]:
        if self.search.is_exhausted:
            self._unproved[Unproved(widening, (), Doubt.TOO_MANY)] = None
            return
        answer = self.search.ask(parts, widening=widening)
        if answer.witness is not None:
            yield Change(widening, parts[0], parts[1] if len(parts) > 1 else None, answer.witness)
        for doubt in answer.doubts:
            self._unproved[Unproved(widening, tuple(part.rule.id for part in parts), doubt)] = None

    def _own_parts(self, mine: PolicyParts, other: PolicyParts, effect: Effect, *, widening: bool) -> Iterator[Part]:
        """The parts of rules of `effect` in `mine` that no rule of `other` has, or has with fewer conditions."""
        known = {rule.key for rule in other.rules.values()}
        for rule in mine.rules.values():
            if rule.rule.effect is not effect or rule.key in known:
                continue
            if rule.size > MAX_PARTS_OF_RULE:
                self._unproved[Unproved(widening, (rule.rule.id,), Doubt.TOO_MANY)] = None
                continue
            yield from (part for part in _parts_of(rule) if not other.covers(part))


def _parts_of(rule: RuleParts) -> Iterator[Part]:
    return (
        Part(rule.rule, identity, caller, place) for caller, identity in rule.callers.items() for place in rule.places
    )


def _meeting(rule: RuleParts, deny: Part) -> Iterator[Part]:
    """The parts of `rule` that a request of `deny` may also be in, as far as literal hosts and paths tell."""
    places = [place for place in rule.places if _may_meet(place, deny.place)]
    for caller, identity in rule.callers.items() if places else ():
        for place in places:
            yield Part(rule.rule, identity, caller, place)


def _may_meet(one: Place, other: Place) -> bool:
    return _overlap(one.labels, other.labels) and _overlap(one.path, other.path)


def _overlap(one: SegmentPattern | None, other: SegmentPattern | None) -> bool:
    """Whether no literal segment and no length keeps two patterns apart."""
    if one is None or other is None:
        return True
    return (
        all(
            mine == its or not isinstance(mine, str) or not isinstance(its, str)
            for mine, its in zip(one.segments, other.segments, strict=False)
        )
        and (one.rest or len(other.segments) <= len(one.segments))
        and (other.rest or len(one.segments) <= len(other.segments))
    )


def _keys(pairs: Sequence[EntryPair], side: str) -> dict[str, str]:
    return {entry.name: pair.key for pair in pairs if (entry := getattr(pair, side)) is not None}
