"""From canonical host, method and path to the rules whose routes match: two dictionary walks, no list of rules."""

from collections.abc import Sequence

from policies.engine.path import Segments
from policies.engine.pattern import SegmentPattern
from policies.engine.route import Alternative, Route
from policies.engine.trie import SegmentTrie

_ANY_PATH = SegmentPattern((), rest=True)


class _Terminal:
    """The rules at one host and path, by method. `special` alternatives bind names or belong to a rule that joins."""

    __slots__ = ("any_method", "grpc", "methods", "special")

    def __init__(self) -> None:
        self.any_method = 0
        self.grpc = 0
        self.methods: dict[str, int] = {}
        self.special: list[Alternative] = []

    def add(self, alternative: Alternative, rules: int, *, special: bool) -> None:
        if alternative.grpc:
            self.grpc |= rules
        elif alternative.methods is None:
            self.any_method |= rules
        else:
            for method in alternative.methods:
                self.methods[method] = self.methods.get(method, 0) | rules
        if special or alternative.captures:
            self.special.append(alternative)


class RouteIndex:
    """`rules_of_route[i]`: bit mask of the rules that use route i. `anywhere`: those with `to: any`.

    `looked_at`: routes of rules for which a match by host, method and path is not the whole answer.
    """

    __slots__ = ("_any_host", "_anywhere", "_below", "_deep_below", "_exact", "has_grpc")

    def __init__(
        self, routes: Sequence[Route], rules_of_route: Sequence[int], anywhere: int, looked_at: frozenset[int]
    ) -> None:
        self._anywhere = anywhere
        self._exact: dict[str, SegmentTrie[_Terminal]] = {}
        self._below: dict[str, SegmentTrie[_Terminal]] = {}
        self._deep_below: dict[str, SegmentTrie[_Terminal]] = {}
        self._any_host: SegmentTrie[_Terminal] | None = None
        self.has_grpc = False
        for route, rules in zip(routes, rules_of_route, strict=True):
            for alternative in route.alternatives:
                self.has_grpc = self.has_grpc or alternative.grpc
                self._paths_of(alternative).bucket(alternative.path or _ANY_PATH).add(
                    alternative, rules, special=alternative.route in looked_at
                )

    def lookup(self, host: str, method: str, segments: Segments, *, grpc: bool) -> tuple[int, list[Alternative]]:
        """The rules that may match, and the special alternatives that have to be looked at.

        `grpc`: whether the request is a gRPC call by its method and content type.
        """
        rules = self._anywhere
        special: list[Alternative] = []
        for paths in self._tries(host):
            for terminal in paths.buckets(segments):
                rules |= terminal.any_method
                if terminal.methods:
                    rules |= terminal.methods.get(method, 0)
                if grpc:
                    rules |= terminal.grpc
                if terminal.special:
                    special += [way for way in terminal.special if _serves(way, method, grpc=grpc)]
        return rules, special

    def _paths_of(self, alternative: Alternative) -> SegmentTrie[_Terminal]:
        if alternative.host is None:
            self._any_host = self._any_host or SegmentTrie(_Terminal)
            return self._any_host
        by_depth = (self._exact, self._below, self._deep_below)[alternative.host.depth]
        return by_depth.setdefault(alternative.host.suffix, SegmentTrie(_Terminal))

    def _tries(self, host: str) -> list[SegmentTrie[_Terminal]]:
        found = [] if self._any_host is None else [self._any_host]
        exact = self._exact.get(host)
        if exact is not None:
            found.append(exact)
        if (self._below or self._deep_below) and host[0] != "[":
            parent = host.partition(".")[2]
            below = self._below.get(parent)
            if below is not None:
                found.append(below)
            while parent:
                deep = self._deep_below.get(parent)
                if deep is not None:
                    found.append(deep)
                parent = parent.partition(".")[2]
        return found


def _serves(alternative: Alternative, method: str, *, grpc: bool) -> bool:
    if alternative.grpc:
        return grpc
    return alternative.methods is None or method in alternative.methods
