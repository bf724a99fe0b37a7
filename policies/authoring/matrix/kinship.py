"""How the callers of rules lie to the rows of the matrix: who is of a row is a caller of the rule always, maybe, never.

Law kept here: `Kin.certain` is a proof. A row that is not in `CallerKinship.of` is either proved to be apart from the
callers, or the rule `is_stray`: a certificate with several names, say, could be of both.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from policies.authoring.lint.implication import resolved
from policies.authoring.matrix.certainty import apart, holds
from policies.authoring.matrix.prefix_index import Prefix, PrefixIndex
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
    IpSanIn,
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
        self._counts = Counter(key for row in rows for key in _all_keys(row))
        self._all: PrefixIndex[int] = PrefixIndex()
        self._chosen: PrefixIndex[int] = PrefixIndex()
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
            rows = sorted({row for selector in selectors for row in self._candidates(selector)})
            whole = AnyOf(tuple(selectors))
            self._found[key] = tuple(
                Kin(row, certain)
                for row in rows
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
        self._signs.setdefault(_sign(selector), []).append(row)
        for key in chosen:
            self._chosen.file(key, row)
        for key in _all_keys(selector):
            self._all.file(key, row)

    def _candidates(self, selector: Selector) -> Iterable[int]:
        chosen = self._chosen_keys(selector)
        if chosen is None:
            return range(len(self._rows))
        found = set(self._broad)
        for key in chosen:
            found.update(self._all.continuing(key))
        for key in _all_keys(selector):
            found.update(self._chosen.continuing(key))
            found.update(self._chosen.beginning(key))
        return found

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
                return _field_keys(field) or None

    def _cost(self, part: Selector, keys: frozenset[Prefix]) -> tuple[bool, int, int]:
        # INVARIANT: what needs a SPIFFE ID is filed under the IDs that it may be, as `_apart_by_sign` relies on.
        is_bound, _ = _sign(part)
        return not is_bound, _ORDER.get(type(_first_field(part)), len(_ORDER)), max(self._counts[key] for key in keys)


def _all_keys(selector: Selector) -> frozenset[Prefix]:
    """The keys of every part."""
    match resolved(selector):
        case AllOf(parts) | AnyOf(parts):
            return frozenset[Prefix]().union(*map(_all_keys, parts))
        case field:
            return _field_keys(field)


def _first_field(selector: Selector) -> Selector:
    """The field of a part that is one field, or several of one kind."""
    found = resolved(selector)
    while isinstance(found, AnyOf) and found.parts:
        found = resolved(found.parts[0])
    return found


def _field_keys(field: Selector) -> frozenset[Prefix]:
    match field:
        case UriIs(pattern):
            return frozenset({("uri", *_leading(pattern))})
        case DnsIs(host):
            return frozenset({("dns", *reversed(host.suffix.split(".")))})
        case EmailIs(address):
            local, _, domain = address.partition("@")
            return frozenset({("email", domain) if local == "*" else ("email", domain, local)})
        case IpSanIn(networks):
            return frozenset({("ip", networks)})
        case SerialIn(serials):
            return frozenset(("serial", serial) for serial in serials)
        case DigestIn(of_spki, digests):
            return frozenset(("digest", of_spki, digest) for digest in digests)
        case NameIs(of_issuer, name):
            return frozenset({("name", of_issuer, name.rdns)})
        case NameHas(of_issuer, oid, values):
            return frozenset(("attribute", of_issuer, oid, value) for value in values)
    return frozenset()


def _leading(pattern: SegmentPattern) -> tuple[Hashable, ...]:
    size = next((at for at, part in enumerate(pattern.segments) if not isinstance(part, str)), len(pattern.segments))
    return pattern.segments[:size]


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
