"""A rule as alternatives: who by where, each a conjunction of literals.

A list of methods, names or networks becomes one alternative for each, so that only what is not in both policies is left
over when equal alternatives cancel. Circumstances (`from`, `when`, `strict_sni`) belong to the place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from itertools import product

from policies.authoring.diff.limits import MAX_PLACES
from policies.authoring.diff.literal import (
    IS_FALSE,
    IS_TRUE,
    NOT_FALSE,
    NOT_TRUE,
    ClockIn,
    Condition,
    GrpcContent,
    HeaderHas,
    Literal,
    Literals,
    MethodIn,
    NotBefore,
    SniIn,
    SniIsHost,
    SourceIn,
    Wanted,
)
from policies.authoring.diff.ways import TooIntricateError, Ways
from policies.authoring.diff.words import labels_pattern
from policies.engine.condition import HeaderIs, Networks, When
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.reason import Effect


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule holds, in one way: host and path (None = any), and everything else asked of the request."""

    host: HostPattern | None
    path: SegmentPattern | None
    literals: Literals

    @property
    def labels(self) -> SegmentPattern | None:
        """The host as a pattern of labels."""
        return None if self.host is None else labels_pattern(self.host)


@dataclass(frozen=True, slots=True)
class Part:
    """One alternative of a rule. `identity`: the position of the identity that the caller alternative is of."""

    rule: Rule
    identity: int
    caller: Literals
    place: Place

    @property
    def literals(self) -> Literals:
        """Everything but host and path."""
        return self.caller | self.place.literals


class RuleParts:
    """The alternatives of one rule: every caller with every place."""

    def __init__(self, rule: Rule, callers: Mapping[Literals, int], places: tuple[Place, ...]) -> None:
        self.rule = rule
        self.callers = callers
        self.places = places
        self.place_set = frozenset(places)

    @cached_property
    def key(self) -> object:
        """Equal for rules that match the same requests, whatever they and their identities and routes are called."""
        return self.rule.effect, frozenset(self.callers), self.place_set

    @cached_property
    def by_target(self) -> dict[tuple[HostPattern | None, SegmentPattern | None], list[Literals]]:
        """The conditions at every host and path."""
        found: dict[tuple[HostPattern | None, SegmentPattern | None], list[Literals]] = {}
        for place in self.places:
            found.setdefault((place.host, place.path), []).append(place.literals)
        return found

    @property
    def size(self) -> int:
        """How many alternatives."""
        return len(self.callers) * len(self.places)


class PolicyParts:
    """The enforced rules of one policy as alternatives. `trust`: its name of an entry -> the name in both.

    `strict`: allow rules hold only where the TLS server name is the host.
    """

    def __init__(
        self, policy: PolicySet, trust: Mapping[str, str], every_entry: frozenset[str], *, strict: bool
    ) -> None:
        self.policy = policy
        self._strict = strict
        self.ways = Ways(policy, trust, every_entry)
        self.positions = {identity.name: at for at, identity in enumerate(policy.identities) if identity.name}
        self._places: dict[tuple[int, Effect], tuple[Place, ...]] = {}
        self.rules: dict[str, RuleParts] = {}
        #: Rules that have more alternatives than are looked at.
        self.intricate: list[Rule] = []
        for rule in policy.rules:
            if not rule.shadow:
                try:
                    self.rules[rule.id] = self._rule_parts(rule)
                except TooIntricateError:
                    self.intricate.append(rule)

    def with_caller(self, caller: Literals, effect: Effect) -> Iterable[RuleParts]:
        """The rules of `effect` with exactly this caller alternative."""
        return self._by_caller.get((caller, effect), ())

    def covers(self, part: Part) -> bool:
        """Whether a rule of the same effect says of the same caller, host and path the same with fewer conditions."""
        return any(
            literals <= part.place.literals
            for rule in self.with_caller(part.caller, part.rule.effect)
            for literals in rule.by_target.get((part.place.host, part.place.path), ())
        )

    @cached_property
    def _by_caller(self) -> dict[tuple[Literals, Effect], list[RuleParts]]:
        found: dict[tuple[Literals, Effect], list[RuleParts]] = {}
        for parts in self.rules.values():
            for caller in parts.callers:
                found.setdefault((caller, parts.rule.effect), []).append(parts)
        return found

    def _rule_parts(self, rule: Rule) -> RuleParts:
        callers: dict[Literals, int] = {}
        for position in rule.callers:
            for way in self.ways.of(position, rule.effect):
                callers.setdefault(way, position)
        return RuleParts(rule, callers, self._rule_places(rule))

    def _rule_places(self, rule: Rule) -> tuple[Place, ...]:
        bases = (Place(None, None, frozenset()),) if rule.anywhere else self._route_places(rule)
        circumstances = _circumstances(rule)
        if rule.effect is Effect.ALLOW and self._strict:
            circumstances = tuple(way | {Literal(SniIsHost(), IS_TRUE)} for way in circumstances)
        if circumstances == (frozenset(),):
            return bases
        return tuple(Place(base.host, base.path, base.literals | extra) for base in bases for extra in circumstances)

    def _route_places(self, rule: Rule) -> tuple[Place, ...]:
        found: dict[Place, None] = {}
        for route in rule.routes:
            if (route, rule.effect) not in self._places:
                ways = self.policy.routes[route].alternatives
                self._places[route, rule.effect] = tuple(
                    place for way in ways for place in _places_of(way, rule.effect)
                )
            found.update(dict.fromkeys(self._places[route, rule.effect]))
        return tuple(found)


def _places_of(way: Alternative, effect: Effect) -> Iterable[Place]:
    true = _positive(effect)
    fixed: list[Literal] = []
    choices: list[list[Condition]] = []
    if way.grpc:
        fixed += [Literal(MethodIn(frozenset({"POST"})), true), Literal(GrpcContent(), true)]
    if way.methods is not None:
        choices.append([MethodIn(frozenset({method})) for method in sorted(way.methods)])
    choices += [
        [HeaderHas(HeaderIs(header.name, frozenset({value}))) for value in sorted(header.values)]
        for header in way.headers
    ]
    if _size(choices) > MAX_PLACES:
        whole: list[Condition] = [HeaderHas(header) for header in way.headers]
        whole += [MethodIn(way.methods)] if way.methods is not None else []
        choices = [[condition] for condition in whole]
    for chosen in product(*choices):
        yield Place(way.host, way.path, frozenset([*fixed, *(Literal(condition, true) for condition in chosen)]))


def _circumstances(rule: Rule) -> tuple[Literals, ...]:
    true = _positive(rule.effect)
    false = IS_FALSE if rule.effect is Effect.ALLOW else NOT_TRUE
    fixed: list[Literal] = []
    choices: list[list[Condition]] = []
    if rule.origin is not None:
        if rule.origin.inside is not None:
            choices.append([SourceIn(frozenset({network})) for network in _collapsed(rule.origin.inside)])
        if rule.origin.outside is not None:
            fixed += [Literal(SourceIn(frozenset({network})), false) for network in _collapsed(rule.origin.outside)]
    if rule.when is not None:
        fixed += _times(rule.when, true, false)
        if rule.when.sni:
            choices.append([SniIn((pattern,)) for pattern in rule.when.sni])
    if _size(choices) > MAX_PLACES:
        choices = [[condition] for condition in _whole(rule)]
    return tuple(
        frozenset([*fixed, *(Literal(condition, true) for condition in chosen)]) for chosen in product(*choices)
    )


def _times(when: When, true: Wanted, false: Wanted) -> list[Literal]:
    found: list[Literal] = []
    if when.after is not None:
        found.append(Literal(NotBefore(when.after), true))
    if when.before is not None:
        found.append(Literal(NotBefore(when.before), false))
    if when.days or when.hours:
        hours = tuple(sorted(set(when.hours), key=lambda window: (window.start, window.end)))
        found.append(Literal(ClockIn(when.days, hours, when.timezone), true))
    return found


def _whole(rule: Rule) -> Iterable[Condition]:
    if rule.origin is not None and rule.origin.inside is not None:
        yield SourceIn(frozenset(_collapsed(rule.origin.inside)))
    if rule.when is not None and rule.when.sni:
        yield SniIn(rule.when.sni)


def _collapsed(networks: Networks) -> list[IPv4Network | IPv6Network]:
    return [
        *collapse_addresses(network for network in networks.cidrs if isinstance(network, IPv4Network)),
        *collapse_addresses(network for network in networks.cidrs if isinstance(network, IPv6Network)),
    ]


def _positive(effect: Effect) -> Wanted:
    """The truths with which a condition lets a rule match: an allow on true only, a deny on unknown too (law 2)."""
    return IS_TRUE if effect is Effect.ALLOW else NOT_FALSE


def _size(choices: list[list[Condition]]) -> int:
    size = 1
    for choice in choices:
        size *= len(choice)
    return size
