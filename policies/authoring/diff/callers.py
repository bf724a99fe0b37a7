"""Callers that satisfy literals: which entries vouch for them, and what their certificates say.

Callers are those that a certificate could make: one that an entry with a SPIFFE trust domain vouches for has exactly
one URI SAN, of that domain, and no other entry vouches for it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from policies.authoring.diff.literal import Admitted, CallerIs, Literal
from policies.authoring.diff.pairing import EntryPair
from policies.authoring.diff.vocabulary import kind_of
from policies.authoring.diff.words import Wish, labels_pattern
from policies.engine.pattern import SegmentPattern
from policies.engine.selector import DnsIs, Selector, TrustIs, Unauthenticated, UriIs


@dataclass(frozen=True, slots=True)
class Kind:
    """Nobody (`trust` empty), the SVIDs of one entry, or the certificates of entries without a trust domain."""

    trust: frozenset[str] = frozenset()
    trust_domain: str | None = None

    @property
    def is_nobody(self) -> bool:
        """Whether no certificate is shown."""
        return not self.trust


def kinds_of_callers(pairs: Sequence[EntryPair]) -> tuple[Kind, ...]:
    """Every kind that the entries of two policies make."""
    svids = [Kind(frozenset({pair.key}), pair.trust_domain) for pair in pairs if pair.trust_domain is not None]
    others = frozenset(pair.key for pair in pairs if pair.trust_domain is None)
    return (*svids, *([Kind(others)] if others else []), Kind())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Literals about callers, sorted by what they are about. `scope`: the rule that a literal is of."""

    literals: Sequence[tuple[int, Literal]]
    positive: list[tuple[int, Selector]] = field(default_factory=list)
    negative: list[Selector] = field(default_factory=list)
    admitted: list[Literal] = field(default_factory=list)

    @classmethod
    def of(cls, literals: Sequence[tuple[int, Literal]]) -> "Wanted":
        """`literals`, sorted."""
        found = cls(literals)
        for scope, literal in literals:
            if isinstance(literal.condition, Admitted):
                found.admitted.append(literal)
            elif isinstance(literal.condition, CallerIs):
                if literal.is_positive:
                    found.positive.append((scope, literal.condition.selector))
                else:
                    found.negative.append(literal.condition.selector)
        return found

    def about(self, kind: Hashable) -> list[tuple[Selector, int]]:
        """What is wanted, positive or not, of one kind of fact (`kind_of`): the selectors and the truths."""
        return [
            (literal.condition.selector, literal.wanted)
            for _, literal in self.literals
            if isinstance(literal.condition, CallerIs) and kind_of(literal.condition) == kind
        ]


def trust_of(kind: Kind, wanted: Wanted) -> frozenset[str] | None:
    """The fewest entries of `kind` that satisfy what is wanted of them; None if none do."""
    needed = [selector.entries for _, selector in wanted.positive if isinstance(selector, TrustIs)]
    barred = [selector.entries for selector in wanted.negative if isinstance(selector, TrustIs)]
    for literal in wanted.admitted:
        if isinstance(literal.condition, Admitted):
            (needed if literal.is_positive else barred).append(literal.condition.entries)
    left = sorted(kind.trust.difference(*barred))
    if kind.trust_domain is not None:
        return kind.trust if left and all(kind.trust & one for one in needed) else None
    chosen: set[str] = set()
    for entries in sorted(needed, key=len):
        if chosen.isdisjoint(entries):
            fit = [entry for entry in left if entry in entries]
            if not fit:
                return None
            chosen.add(fit[0])
    return frozenset(chosen or left[:1]) or None


def nobody_fits(wanted: Wanted) -> bool:
    """Whether a caller without certificate satisfies what is wanted."""
    certificate = any(not isinstance(selector, Unauthenticated) for _, selector in wanted.positive)
    barred = any(isinstance(selector, Unauthenticated) for selector in wanted.negative)
    return not certificate and not barred and all(literal.is_positive for literal in wanted.admitted)


def somebody_fits(wanted: Wanted) -> bool:
    """Whether one with a certificate may."""
    return not any(isinstance(selector, Unauthenticated) for _, selector in wanted.positive)


def name_wishes(kind: Kind, wanted: Wanted, extra: int) -> tuple[list[Wish], dict[Hashable, int]] | None:
    """What SANs that are made of words must match, and how many words each has; None if no SANs of `kind` can.

    An SVID has one URI SAN of `extra` segments; others have one SAN for each that is wanted, and where a pattern leaves
    the number of segments open, `extra` more than the pattern.
    """
    wishes: list[Wish] = []
    lengths: dict[Hashable, int] = {}
    if kind.trust_domain is not None:
        lengths["id"] = extra
        wishes.append(Wish(0, "id", SegmentPattern((f"spiffe://{kind.trust_domain}",), rest=True)))
    for number, (scope, selector) in enumerate(wanted.positive):
        if isinstance(selector, DnsIs):
            pattern = labels_pattern(selector.pattern)
            lengths["dns", number] = len(pattern.segments)
            wishes.append(Wish(scope, ("dns", number), pattern))
        elif isinstance(selector, UriIs):
            if (selector.trust is None) is not (kind.trust_domain is None) or not kind.trust >= _entry(selector):
                return None
            of: Hashable = ("uri", number) if kind.trust_domain is None else "id"
            lengths.setdefault(of, len(selector.pattern.segments) + (extra if selector.pattern.rest else 0))
            wishes.append(Wish(scope, of, selector.pattern))
    return wishes, lengths


def _entry(selector: UriIs) -> frozenset[str]:
    return frozenset() if selector.trust is None else frozenset({selector.trust})
