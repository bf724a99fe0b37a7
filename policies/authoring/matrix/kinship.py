"""How the callers of rules lie to the rows of the matrix: who is of a row is a caller of the rule always, maybe, never.

Law kept here: `Kin.certain` is a proof. A row that is not in `CallerKinship.of` is either proved to be apart from the
callers, or the rule `is_stray`: a certificate with several names, say, could be of both.

A certificate has one SPIFFE ID, so what needs one is found by all segments of the IDs that it may be; all else by how
its names begin.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from policies.authoring.lint.implication import resolved
from policies.authoring.matrix.certainty import apart, holds
from policies.authoring.matrix.named_rows import NamedRows, all_keys, field_keys
from policies.authoring.matrix.pattern_index import PatternIndex, numbers_in
from policies.authoring.matrix.prefix_index import Prefix
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Authenticated,
    DigestIn,
    DnsIs,
    EmailIs,
    NameHas,
    NameIs,
    Selector,
    SerialIn,
    TrustIs,
    UriIs,
)
from policies.reason import Effect

#: What a certificate must have for a selector to hold; the smaller, the fewer selectors share it.
_ORDER: dict[type[Selector], int] = {UriIs: 0, SerialIn: 1, DigestIn: 2, DnsIs: 3, EmailIs: 4, NameIs: 5, NameHas: 6}


@dataclass(frozen=True, slots=True)
class Kin:
    """A row some of whose callers are callers of the rule. `certain`: all of them."""

    row: int
    certain: bool


def admitted(selector: Selector, effect: Effect) -> Selector:
    """`selector` as a rule of this effect asks it: an allow matches no caller without certificate unless it says so."""
    if effect is Effect.DENY or selector.admits_unauthenticated():
        return selector
    return AllOf((Authenticated(), selector))


class CallerKinship:
    """Finds the rows that a rule's callers are kin to. `rows`: selectors as `admitted` under an allow."""

    def __init__(self, policy: PolicySet, rows: Sequence[Selector]) -> None:
        self._policy = policy
        self._rows = rows
        self._counts = Counter(key for row in rows for key in all_keys(row))
        self._ids = PatternIndex()
        self._with_id, self._without_id = NamedRows(), NamedRows()
        self._broad: list[int] = []
        self._signs: dict[tuple[bool, frozenset[str] | None], list[int]] = {}
        for row, selector in enumerate(rows):
            self._file(row, selector)
        self._found: dict[tuple[tuple[int, ...], Effect], tuple[Kin, ...]] = {}

    def of(self, rule: Rule) -> Sequence[Kin]:
        """The rows that are kin to the callers of `rule`, in order."""
        key = (rule.callers, rule.effect)
        if key not in self._found:
            selectors = [admitted(self._policy.identities[at].selector, rule.effect) for at in rule.callers]
            whole = AnyOf(tuple(selectors))
            self._found[key] = tuple(
                Kin(row, certain)
                for row in sorted(self._candidates(whole))
                if (certain := holds(self._rows[row], whole)) or not apart(self._rows[row], whole)
            )
        return self._found[key]

    def is_stray(self, rule: Rule) -> bool:
        """Whether a caller of a row that is no kin may be a caller of `rule` too."""
        kin = {kin.row for kin in self.of(rule)}
        return any(self._is_stray(self._policy.identities[at].selector, kin) for at in rule.callers)

    def _is_stray(self, selector: Selector, kin: set[int]) -> bool:
        if self._chosen_keys(selector) is None:
            return False  # every row was looked at
        sign = _sign(selector)
        return any(
            not _apart_by_sign(sign, row_sign) and any(row not in kin for row in rows)
            for row_sign, rows in self._signs.items()
        )

    def _file(self, row: int, selector: Selector) -> None:
        chosen = self._chosen_keys(selector)
        if chosen is None:
            self._broad.append(row)
            return
        sign = _sign(selector)
        self._signs.setdefault(sign, []).append(row)
        needs_id, _ = sign
        (self._with_id if needs_id else self._without_id).file(row, selector, chosen)
        for pattern in _id_patterns(selector) if needs_id else ():
            self._ids.file(pattern, row)

    def _candidates(self, selector: Selector) -> Iterable[int]:
        chosen = self._chosen_keys(selector)
        if chosen is None:
            return range(len(self._rows))
        crossing = self._crossing(selector)
        with_id = self._with_id.near(selector, chosen) if crossing is None else numbers_in(crossing)
        return {*self._broad, *self._without_id.near(selector, chosen), *with_id}

    def _crossing(self, selector: Selector) -> int | None:
        """The rows that need a SPIFFE ID, less some that are apart, as bits; None if `selector` needs none."""
        match resolved(selector):
            case UriIs(pattern, trust) if trust is not None:
                return self._ids.crossing(pattern)
            case AllOf(parts):
                of_parts = [rows for part in parts if (rows := self._crossing(part)) is not None]
                return reduce(and_, of_parts) if of_parts else None
            case AnyOf(parts) if parts:
                of_parts = [rows for part in parts if (rows := self._crossing(part)) is not None]
                return reduce(or_, of_parts) if len(of_parts) == len(parts) else None
        return None

    def _chosen_keys(self, selector: Selector) -> frozenset[Prefix] | None:
        """Keys of which whatever lies within `selector` continues one; None if every caller may lie within it."""
        match resolved(selector):
            case AllOf(parts):
                choices = [(part, keys) for part in parts if (keys := self._chosen_keys(part)) is not None]
                return min(choices, key=lambda choice: self._cost(*choice))[1] if choices else None
            case AnyOf(parts):
                found: set[Prefix] = set()
                for part in parts:
                    keys = self._chosen_keys(part)
                    if keys is None:
                        return None
                    found |= keys
                return frozenset(found)
            case field:
                return field_keys(field) or None

    def _cost(self, part: Selector, keys: frozenset[Prefix]) -> tuple[bool, int, int]:
        # INVARIANT: what needs a SPIFFE ID is filed under the IDs that it may be, as `_apart_by_sign` relies on.
        is_bound, _ = _sign(part)
        return not is_bound, _ORDER.get(type(_first_field(part)), len(_ORDER)), max(self._counts[key] for key in keys)


def _first_field(selector: Selector) -> Selector:
    """The field of a part that is one field, or several of one kind."""
    found = resolved(selector)
    while isinstance(found, AnyOf) and found.parts:
        found = resolved(found.parts[0])
    return found


def _id_patterns(selector: Selector) -> Iterator[SegmentPattern]:
    """The SPIFFE IDs of every part."""
    match resolved(selector):
        case UriIs(pattern, trust) if trust is not None:
            yield pattern
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _id_patterns(part)


def _apart_by_sign(one: tuple[bool, frozenset[str] | None], other: tuple[bool, frozenset[str] | None]) -> bool:
    """Whether two that were not found by their keys are apart: there is one SPIFFE ID, and one entry with it."""
    (bound, vouched), (other_bound, other_vouched) = one, other
    if bound and other_bound:
        return True
    return (bound or other_bound) and not (vouched is None or other_vouched is None or vouched & other_vouched)


def _sign(selector: Selector) -> tuple[bool, frozenset[str] | None]:
    """Whether a SPIFFE ID is needed, and the trust entries of which one must vouch (None: any)."""
    match resolved(selector):
        case UriIs(_, trust) if trust is not None:
            return True, frozenset({trust})
        case TrustIs(entries):
            return False, entries
        case AllOf(parts):
            signs = [_sign(part) for part in parts]
            vouched = [entries for _, entries in signs if entries is not None]
            return any(bound for bound, _ in signs), min(vouched, key=len, default=None)
        case AnyOf(parts) if parts:
            signs = [_sign(part) for part in parts]
            every = [entries for _, entries in signs if entries is not None]
            union = frozenset[str]().union(*every) if len(every) == len(signs) else None
            return all(bound for bound, _ in signs), union
    return False, None
