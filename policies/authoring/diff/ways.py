"""Identity selectors as alternatives, each a conjunction of literals, as the engine's three truths have them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from policies.authoring.diff.limits import MAX_WAYS
from policies.authoring.diff.literal import (
    IS_FALSE,
    IS_TRUE,
    NOT_FALSE,
    NOT_TRUE,
    Admitted,
    CallerIs,
    Literal,
    Literals,
    Wanted,
)
from policies.engine.policy_set import PolicySet
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    IpSanIn,
    NameHas,
    Not,
    Reference,
    Selector,
    SerialIn,
    TrustIs,
    Unauthenticated,
    UriIs,
)
from policies.reason import Effect

_OPPOSITE = {IS_TRUE: IS_FALSE, IS_FALSE: IS_TRUE, NOT_FALSE: NOT_TRUE, NOT_TRUE: NOT_FALSE}
_ALWAYS: tuple[Literals, ...] = (frozenset(),)
_NEVER: tuple[Literals, ...] = ()


class TooIntricateError(Exception):
    """A selector has more alternatives than are looked at."""


class Ways:
    """Multiplies out the identities of one policy. `trust`: its name of an entry -> the name in both policies."""

    def __init__(self, policy: PolicySet, trust: Mapping[str, str], every_entry: frozenset[str]) -> None:
        self._policy = policy
        self._trust = trust
        self._entries = frozenset(trust.values())
        self._every_entry = every_entry
        self._known: dict[tuple[int, Effect], tuple[Literals, ...]] = {}
        self._selectors: dict[tuple[str, Wanted], tuple[Literals, ...]] = {}

    def of(self, position: int, effect: Effect) -> tuple[Literals, ...]:
        """The alternatives of an identity under a rule of `effect`. Raises TooIntricateError."""
        key = position, effect
        if key not in self._known:
            selector = self._policy.identities[position].selector
            wanted = IS_TRUE if effect is Effect.ALLOW else NOT_FALSE
            shown = effect is Effect.ALLOW and not selector.admits_unauthenticated()
            ways = (self._completed(way, shown=shown) for way in self._expanded(selector, wanted))
            self._known[key] = tuple(dict.fromkeys(way for way in ways if way is not None))
        return self._known[key]

    def _completed(self, way: Literals, *, shown: bool) -> Literals | None:
        """`way` with what holds for every rule: the caller is known to the policy, and shows a certificate if asked.

        None if a caller would have to show one and show none.
        """
        positive = [
            literal.condition.selector
            for literal in way
            if isinstance(literal.condition, CallerIs) and literal.is_positive
        ]
        if any(isinstance(selector, Unauthenticated) for selector in positive):
            return None if shown else way
        if any(_names_an_entry(selector) for selector in positive):
            return way
        if shown and not positive:
            return way | {Literal(CallerIs(TrustIs(self._entries)), IS_TRUE)}
        if self._entries == self._every_entry:
            return way
        return way | {Literal(Admitted(self._entries), IS_TRUE)}

    def _expanded(self, selector: Selector, wanted: Wanted) -> tuple[Literals, ...]:
        positive = not wanted & IS_FALSE
        match selector:
            case Reference(name, target):
                if (name, wanted) not in self._selectors:
                    self._selectors[name, wanted] = self._expanded(target, wanted)
                return self._selectors[name, wanted]
            case Not(part):
                return self._expanded(part, _OPPOSITE[wanted])
            case AllOf(parts):
                return self._joined(parts, wanted, together=positive)
            case AnyOf(parts):
                return self._joined(parts, wanted, together=not positive)
            case Anyone():
                return _ALWAYS if positive else _NEVER
        return self._field(selector, wanted, positive=positive)

    def _joined(self, parts: Iterable[Selector], wanted: Wanted, *, together: bool) -> tuple[Literals, ...]:
        found: dict[Literals, None] = {}
        expanded = [self._expanded(part, wanted) for part in parts]
        if not together:
            found = dict.fromkeys(way for ways in expanded for way in ways)
            _check_size(len(found))
            return tuple(found)
        # Parts of one alternative, such as the names of a long list under `not`, are put together at once.
        found = {frozenset[Literal]().union(*(ways[0] for ways in expanded if len(ways) == 1)): None}
        for ways in expanded:
            if len(ways) != 1:
                _check_size(len(found) * len(ways))
                found = {left | right: None for left in found for right in ways}
        return tuple(found)

    def _field(self, selector: Selector, wanted: Wanted, *, positive: bool) -> tuple[Literals, ...]:
        if isinstance(selector, Authenticated):
            return (frozenset({Literal(CallerIs(TrustIs(self._entries)), wanted)}),)
        literals = [Literal(CallerIs(self._named(single)), wanted) for single in _singles(selector)]
        if positive:
            return tuple(frozenset({literal}) for literal in literals)
        return (frozenset(literals),)

    def _named(self, selector: Selector) -> Selector:
        """`selector` with the names that entries have in both policies."""
        if isinstance(selector, TrustIs):
            return TrustIs(frozenset(self._trust[name] for name in selector.entries))
        if isinstance(selector, UriIs) and selector.trust is not None:
            return replace(selector, trust=self._trust[selector.trust])
        return selector


def _names_an_entry(selector: Selector) -> bool:
    return isinstance(selector, TrustIs) or (isinstance(selector, UriIs) and selector.trust is not None)


def _singles(selector: Selector) -> Iterable[Selector]:
    """Selectors of one value each, of which `selector` is the OR."""
    match selector:
        case TrustIs(entries):
            return [TrustIs(frozenset({entry})) for entry in sorted(entries)]
        case IpSanIn(networks):
            return [IpSanIn((network,)) for network in networks]
        case NameHas(of_issuer, oid, values):
            return [NameHas(of_issuer, oid, frozenset({value})) for value in sorted(values)]
        case DigestIn(of_spki, digests):
            return [DigestIn(of_spki, frozenset({digest})) for digest in sorted(digests)]
        case SerialIn(serials):
            return [SerialIn(frozenset({serial})) for serial in sorted(serials)]
    return [selector]


def _check_size(size: int) -> None:
    if size > MAX_WAYS:
        raise TooIntricateError
