"""Conditions that are no further divided, and which truths of them are wanted.

INVARIANT: the truth of a condition at a point is what the engine gives it for that request; nothing is judged twice.
"""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Protocol

from policies.engine.condition import HeaderIs, Hours, Networks, Origin, When, is_grpc
from policies.engine.errors import HostInvalid
from policies.engine.host import HostPattern, canonical_host
from policies.engine.path import Segments
from policies.engine.request import Request
from policies.engine.selector import Caller, Selector
from policies.engine.truth import FALSE, TRUE, Truth, truth_of

#: A set of truths: bit 1 << truth.
Wanted = int
IS_FALSE: Wanted = 0b001
NOT_TRUE: Wanted = 0b011
IS_TRUE: Wanted = 0b100
NOT_FALSE: Wanted = 0b110
_ALL: Wanted = 0b111


@dataclass(frozen=True, slots=True)
class Point:
    """One request as both policies are asked about it. `caller.trust`: names of paired entries (`pairing`)."""

    caller: Caller
    request: Request
    host: str
    segments: Segments


class Condition(Protocol):
    """One condition on a point. Those below do not inherit from it: to ask an ABC for instances is slow."""

    def truth(self, point: Point) -> Truth:
        """Its truth there."""


@dataclass(frozen=True, slots=True)
class Literal:
    """`condition` has one of the truths in `wanted`."""

    condition: Condition
    wanted: Wanted

    def holds(self, point: Point) -> bool:
        """Whether it does at `point`."""
        return bool(1 << self.condition.truth(point) & self.wanted)

    @property
    def is_positive(self) -> bool:
        """Whether it asks for something to be there; otherwise for its absence."""
        return not self.wanted & IS_FALSE

    def negated(self) -> "Literal":
        """Holds exactly where this one does not."""
        return Literal(self.condition, _ALL ^ self.wanted)


Literals = frozenset[Literal]


@dataclass(frozen=True, slots=True)
class CallerIs:
    """A selector that is no combination of others."""

    selector: Selector

    def truth(self, point: Point) -> Truth:
        """As the selector's."""
        return truth_of(self.selector.solutions(point.caller))


@dataclass(frozen=True, slots=True)
class Admitted:
    """One of these entries vouches for the caller, or nobody has to: it shows no certificate."""

    entries: frozenset[str]

    def truth(self, point: Point) -> Truth:
        """Never unknown."""
        known = point.caller.facts is None or not self.entries.isdisjoint(point.caller.trust)
        return TRUE if known else FALSE


@dataclass(frozen=True, slots=True)
class MethodIn:
    """The method is one of these."""

    methods: frozenset[str]

    def truth(self, point: Point) -> Truth:
        """Never unknown."""
        return TRUE if point.request.method in self.methods else FALSE


@dataclass(frozen=True, slots=True)
class GrpcContent:
    """The content type is gRPC's."""

    def truth(self, point: Point) -> Truth:
        """Never unknown."""
        return TRUE if is_grpc(point.request) else FALSE


@dataclass(frozen=True, slots=True)
class HeaderHas:
    """A header condition of a route."""

    header: HeaderIs

    def truth(self, point: Point) -> Truth:
        """As the header condition's."""
        return self.header.truth(point.request)


@dataclass(frozen=True, slots=True)
class SourceIn:
    """The source address lies in one of these networks."""

    networks: frozenset[IPv4Network | IPv6Network]

    def truth(self, point: Point) -> Truth:
        """UNKNOWN if the address is."""
        return _origin(self.networks).truth(point.request)


@dataclass(frozen=True, slots=True)
class SniIn:
    """The TLS server name is one of these."""

    patterns: tuple[HostPattern, ...]

    def truth(self, point: Point) -> Truth:
        """UNKNOWN if nobody reported it."""
        return When(self.patterns, None, None, frozenset(), (), UTC).truth(point.request)


@dataclass(frozen=True, slots=True)
class SniIsHost:
    """The TLS server name is the host of the request (`strict_sni`)."""

    def truth(self, point: Point) -> Truth:
        """FALSE too if it is unknown."""
        sni = point.request.sni
        try:
            return TRUE if isinstance(sni, str) and canonical_host(sni) == point.host else FALSE
        except HostInvalid:
            return FALSE


@dataclass(frozen=True, slots=True)
class NotBefore:
    """The time is `moment` (epoch seconds) or later."""

    moment: float

    def truth(self, point: Point) -> Truth:
        """Never unknown, as every point has a time."""
        return TRUE if point.request.time >= self.moment else FALSE


@dataclass(frozen=True, slots=True)
class ClockIn:
    """Days and hours of a time zone."""

    days: frozenset[int]
    hours: tuple[Hours, ...]
    timezone: tzinfo

    def truth(self, point: Point) -> Truth:
        """As `When` has it."""
        return When((), None, None, self.days, self.hours, self.timezone).truth(point.request)


@lru_cache(maxsize=4096)
def _origin(networks: frozenset[IPv4Network | IPv6Network]) -> Origin:
    return Origin(Networks(networks), None)
