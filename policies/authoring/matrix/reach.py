"""How the routes of rules lie to the columns of the matrix: a request on a column is on the route always, maybe, never.

Law kept here: `Reach.covered` is a proof that every request on the column is on the route; a column that is not in
`RouteReach.of` shares no request with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from policies.authoring.lint.implication import covers_pattern
from policies.authoring.matrix.certainty import unifies
from policies.authoring.matrix.pattern_index import PatternIndex, numbers_in
from policies.authoring.matrix.prefix_index import Prefix, PrefixIndex
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule

#: The ways of a column; none for the column of every request that is on no route of any rule.
Ways = tuple[Alternative, ...]
_GRPC_METHODS = frozenset({"POST"})
_EVERY_PATH = SegmentPattern((), rest=True)


@dataclass(frozen=True, slots=True)
class Reach:
    """A column that a route shares requests with. `covered`: all of them. `headers`: names that decide it."""

    column: int
    covered: bool
    headers: frozenset[str]


class _Paths:
    """Columns filed under the paths that they have on one host; None is every path."""

    def __init__(self) -> None:
        self._columns: list[int] = []
        self._index = PatternIndex()

    def file(self, path: SegmentPattern | None, column: int) -> None:
        """File `column` under `path`."""
        self._index.file(path or _EVERY_PATH, len(self._columns))
        self._columns.append(column)

    def crossing(self, path: SegmentPattern | None) -> Iterable[int]:
        """The columns with a path that shares one with `path`; maybe some more."""
        return [self._columns[number] for number in numbers_in(self._index.crossing(path or _EVERY_PATH))]


class RouteReach:
    """Finds the columns that a rule's routes reach."""

    def __init__(self, policy: PolicySet, columns: Sequence[Ways]) -> None:
        self._policy = policy
        self._columns = columns
        self._hosts: PrefixIndex[HostPattern | None] = PrefixIndex()
        self._paths: dict[HostPattern | None, _Paths] = {}
        for column, ways in enumerate(columns):
            for way in ways:
                self._file(way, column)
        self._found: dict[tuple[int, ...], tuple[Reach, ...]] = {}

    def of(self, rule: Rule) -> Iterable[Reach]:
        """The columns that share a request with the routes of `rule`."""
        if rule.anywhere:
            return [Reach(column, True, frozenset()) for column in range(len(self._columns))]
        if rule.routes not in self._found:
            ways = [way for position in rule.routes for way in self._policy.routes[position].alternatives]
            self._found[rule.routes] = tuple(self._reached(ways))
        return self._found[rule.routes]

    def _file(self, way: Alternative, column: int) -> None:
        host = _plain(way.host)
        if host not in self._paths:
            self._paths[host] = _Paths()
            self._hosts.file(_host_prefix(host), host)
        self._paths[host].file(way.path, column)

    def _reached(self, ways: Sequence[Alternative]) -> Iterable[Reach]:
        near: dict[int, list[Alternative]] = {}
        for way in ways:
            for column in dict.fromkeys(self._candidates(way)):
                near.setdefault(column, []).append(way)
        for column in sorted(near):
            found = reach_from_ways(column, self._columns[column], near[column])
            if found is not None:
                yield found

    def _candidates(self, way: Alternative) -> Iterable[int]:
        host = _host_prefix(_plain(way.host))
        for other in (*self._hosts.continuing(host), *self._hosts.beginning(host)):
            if hosts_meet(_plain(way.host), other):
                yield from self._paths[other].crossing(way.path)


def reach_from_ways(column: int, mine: Iterable[Alternative], ways: Sequence[Alternative]) -> Reach | None:
    """How the requests of the column's ways `mine` lie to those of `ways`; None if they share none."""
    covered, meeting, headers = True, False, set[str]()
    for way in mine:
        met = [other for other in ways if ways_meet(way, other)]
        meeting = meeting or bool(met)
        if not any(_within(way, other) for other in met):
            covered = False
            headers.update(header.name for other in met for header in other.headers)
    return Reach(column, covered, frozenset(headers)) if meeting else None


def _within(narrow: Alternative, wide: Alternative) -> bool:
    """Whether every request on `narrow` is on `wide`."""
    if replace(narrow, route=wide.route) == wide:
        return True
    if wide.binds_a_name_twice:
        return False
    if wide.host is not None and (narrow.host is None or not wide.host.covers(narrow.host)):
        return False
    if wide.path is not None and (narrow.path is None or not covers_pattern(wide.path, narrow.path)):
        return False
    mine = {header.name: header.values for header in narrow.headers}
    if not all(header.name in mine and mine[header.name] <= header.values for header in wide.headers):
        return False
    if wide.grpc or wide.methods is None:
        return narrow.grpc or not wide.grpc
    methods = _methods(narrow)
    return methods is not None and methods <= wide.methods


def ways_meet(a: Alternative, b: Alternative) -> bool:
    """Whether there may be a request on both."""
    if not hosts_meet(a.host, b.host):
        return False
    if a.path is not None and b.path is not None and not unifies(a.path, b.path):
        return False
    mine = {header.name: header.values for header in a.headers}
    if any(header.name in mine and mine[header.name].isdisjoint(header.values) for header in b.headers):
        return False
    one, other = _methods(a), _methods(b)
    return one is None or other is None or not one.isdisjoint(other)


def hosts_meet(a: HostPattern | None, b: HostPattern | None) -> bool:
    """Whether there may be a host that both match."""
    if a is None or b is None:
        return True
    if a.depth == 0 or b.depth == 0:
        return a.covers(b) or b.covers(a)
    if a.suffix == b.suffix:
        return True
    deeper, other = (a, b) if len(a.suffix) > len(b.suffix) else (b, a)
    return other.depth == 2 and deeper.suffix.endswith(f".{other.suffix}")


def _methods(way: Alternative) -> frozenset[str] | None:
    return _GRPC_METHODS if way.grpc else way.methods


def _plain(host: HostPattern | None) -> HostPattern | None:
    """The host without the name that it binds."""
    return host if host is None or host.capture is None else HostPattern(host.suffix, host.depth)


def _host_prefix(host: HostPattern | None) -> Prefix:
    """The labels from the top on."""
    return () if host is None else tuple(reversed(host.suffix.split(".")))
