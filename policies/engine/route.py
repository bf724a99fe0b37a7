"""Compiled routes: which requests are meant."""

from dataclasses import dataclass

from policies.engine.condition import HeaderIs
from policies.engine.host import HostPattern
from policies.engine.path import Segments
from policies.engine.pattern import SegmentPattern
from policies.engine.request import Request
from policies.engine.truth import TRUE, UNSATISFIED, Bindings, Solutions


@dataclass(frozen=True, slots=True)
class Alternative:
    """One host pattern with one path pattern of a route. None = any.

    `grpc`: the request must be a POST with a gRPC content type; `methods` is then None. `route` is the position of the
    route in its policy set.
    """

    route: int
    host: HostPattern | None
    path: SegmentPattern | None
    methods: frozenset[str] | None
    grpc: bool
    headers: tuple[HeaderIs, ...]

    def solutions(self, request: Request, host: str, segments: Segments) -> Solutions:
        """What it binds and how surely, for a request that the index found for it by host, method and path."""
        truth = min((header.truth(request) for header in self.headers), default=TRUE)
        bindings = self.bound(host, segments)
        return ((truth, bindings),) if truth and bindings is not None else UNSATISFIED

    def bound(self, host: str, segments: Segments) -> Bindings | None:
        """What it binds in a host and path that match; None if that would give one name two values."""
        bindings: Bindings = {}
        if self.path is not None:
            for name, at in self.path.places:
                if bindings.setdefault(name, segments[at]) != segments[at]:
                    return None
        if self.host is not None and self.host.capture is not None:
            label = host.partition(".")[0]
            if bindings.setdefault(self.host.capture, label) != label:
                return None
        return bindings

    @property
    def captures(self) -> frozenset[str]:
        """The names that it binds."""
        of_path = self.path.captures if self.path is not None else frozenset[str]()
        return of_path | {self.host.capture} if self.host is not None and self.host.capture else of_path

    @property
    def binds_a_name_twice(self) -> bool:
        """Whether matching its host and its path on their own is not enough."""
        named = [name for name, _ in self.path.places] if self.path is not None else []
        if self.host is not None and self.host.capture is not None:
            named.append(self.host.capture)
        return len(named) != len(set(named))


@dataclass(frozen=True, slots=True)
class Route:
    """A named or inline route under one effect. `name` is empty for an inline route."""

    name: str
    alternatives: tuple[Alternative, ...]

    @property
    def may_bind(self) -> frozenset[str]:
        """The names that some alternative binds."""
        return frozenset[str]().union(*(alternative.captures for alternative in self.alternatives))

    @property
    def must_bind(self) -> frozenset[str]:
        """The names that every alternative binds."""
        if not self.alternatives:
            return frozenset()
        first, *others = (alternative.captures for alternative in self.alternatives)
        return first.intersection(*others)
