"""Where a request must be for an item to count: host, then path, then the rest, as look-ups and short lists.

Each level asks the compiled patterns themselves which items a literal host or path belongs to, so a hash look-up gives
the same items as trying every pattern would.
"""

from collections.abc import Iterable, Sequence

from extauth.native.expressions import host_expression, is_plain_segment, path_expression
from extauth.native.items import Item, Step
from extauth.native.limits import MAX_PATTERNS_IN_A_ROW
from extauth.native.matcher import (
    PATH,
    all_of,
    any_of_these,
    contains,
    equals,
    exact_map,
    fits,
    header_input,
    in_order,
    negated,
    nested,
    prefix_map,
    source_in,
    state_input,
)
from extauth.native.names import Names, asked
from policies.engine.condition import Origin
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from runtime.envoy.proto_json import Json

AUTHORITY, METHOD, CONTENT_TYPE = header_input(":authority"), header_input(":method"), header_input("content-type")
_PATH = state_input(PATH)
_GRPC = r"(?i)application/grpc(?:[+;][^,]*)?"


class Places:
    """Makes matchers for a listener that clients know by one of `ports` beside the default one."""

    def __init__(self, names: Names, ports: tuple[int, ...]) -> None:
        self._names = names
        self._ports = ports

    def branch(self, items: Sequence[Item], otherwise: Json | None = None) -> Json | None:
        """`OnMatch` of what `items`, in order, do with a request; `otherwise` where none counts."""
        possible = [item for item in items if _is_plain(item)]
        hosts = dict.fromkeys(host.suffix for item in possible if (host := _host(item)) is not None and not host.depth)
        anywhere = [item for item in possible if (host := _host(item)) is None or host.depth]
        if not hosts:
            return self._on_paths(anywhere, otherwise, host_known=False)
        branches: dict[str, Json] = {}
        for name in hosts:
            here = [item for item in possible if (host := _host(item)) is None or host.bound(name) is not None]
            branch = self._on_paths(here, otherwise, host_known=True)
            if branch is not None:
                branches |= dict.fromkeys((name, *(f"{name}:{port}" for port in self._ports)), branch)
        elsewhere = self._on_paths(anywhere, otherwise, host_known=False)
        return nested(exact_map(AUTHORITY, branches, elsewhere)) if branches else elsewhere

    def _on_paths(self, items: Sequence[Item], otherwise: Json | None, *, host_known: bool) -> Json | None:
        literal = dict.fromkeys(
            path.segments for item in items if (path := _path(item)) is not None and path.is_literal
        )
        wild = [item for item in items if (path := _path(item)) is None or not path.is_literal]
        elsewhere = self._on_prefixes(wild, otherwise, host_known=host_known)
        if not literal:
            return elsewhere
        branches: dict[str, Json] = {}
        for segments in literal:
            texts = tuple(map(str, segments))
            here = [item for item in items if (path := _path(item)) is None or path.bound(texts) is not None]
            branches["/" + "/".join(texts)] = self._listed(here, otherwise, host_known=host_known, path_known=True)
        return nested(exact_map(_PATH, branches, elsewhere))

    def _on_prefixes(self, items: Sequence[Item], otherwise: Json | None, *, host_known: bool) -> Json | None:
        if not items:
            return otherwise

        def listed(some: Sequence[Item]) -> Json:
            return self._listed(some, otherwise, host_known=host_known, path_known=False)

        prefixes = {_prefix(item) for item in items}
        if len(prefixes) == 1:
            return listed(items)
        branches = {key: listed([i for i in items if key.startswith(_prefix(i))]) for key in sorted(prefixes | {"/"})}
        return nested(prefix_map(_PATH, {key: branch for key, branch in branches.items() if branch}))

    def _listed(self, items: Sequence[Item], otherwise: Json | None, *, host_known: bool, path_known: bool) -> Json:
        """The items one after the other; past a bound, all of them are asked."""
        if len(items) > MAX_PATTERNS_IN_A_ROW:
            return asked("many-patterns")
        entries: list[tuple[Json, Json]] = []
        for item in items:
            decided = self._decided(item)
            for on_match, predicates in self._conditions(item, decided, host_known=host_known, path_known=path_known):
                if not predicates:
                    return nested(in_order(entries, on_match)) if entries else on_match
                entries.append((all_of(predicates), on_match))
        if not entries:
            return otherwise or {}
        return nested(in_order(entries, otherwise))

    def _decided(self, item: Item) -> Json:
        if item.step is Step.DENY:
            return self._names.denied_by(item.rule)
        return self._names.allowed_by(item.rule) if item.step is Step.ALLOW else asked(item.why)

    def _conditions(
        self, item: Item, decided: Json, *, host_known: bool, path_known: bool
    ) -> Iterable[tuple[Json, list[Json]]]:
        """What must hold for `item`; and where Envoy cannot be sure that it does not, the same with a question."""
        host, path = _host(item), _path(item)
        found: list[Json] = []
        if host is not None and not host_known:
            found.append(fits(AUTHORITY, host_expression(host, self._ports)))
        if path is not None and not path_known:
            found.append(fits(_PATH, path_expression(path)))
        if item.place is not None and item.place.methods is not None:
            found.append(any_of_these([equals(METHOD, method) for method in sorted(item.place.methods)]))
        if item.origin is not None:
            found += _origin(item.origin)
        if item.place is None or not item.place.grpc:
            yield decided, found
            return
        found.append(equals(METHOD, "POST"))
        yield decided, [*found, fits(CONTENT_TYPE, _GRPC)]
        yield asked("content-type"), [*found, contains(CONTENT_TYPE, "grpc")]


def _origin(origin: Origin) -> list[Json]:
    found = []
    if origin.inside is not None:
        found.append(source_in([str(network) for network in origin.inside.cidrs]))
    if origin.outside is not None:
        found.append(negated(source_in([str(network) for network in origin.outside.cidrs])))
    return found


def _host(item: Item) -> HostPattern | None:
    return None if item.place is None else item.place.host


def _path(item: Item) -> SegmentPattern | None:
    return None if item.place is None else item.place.path


def _is_plain(item: Item) -> bool:
    """Whether a plain path can match: others are asked before any item is looked at."""
    path = _path(item)
    return path is None or all(is_plain_segment(part) for part in path.segments if isinstance(part, str))


def _prefix(item: Item) -> str:
    """What every path that matches the item starts with."""
    path = _path(item)
    if path is None:
        return "/"
    fixed: list[str] = []
    for part in path.segments:
        if not isinstance(part, str):
            return "/" + "".join(f"{segment}/" for segment in fixed)
        fixed.append(part)
    return "/" + "/".join(fixed)
