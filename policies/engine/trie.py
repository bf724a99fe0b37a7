"""A trie over segments: finds the patterns that match without trying the others."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from policies.engine.pattern import SegmentPattern

Bucket = TypeVar("Bucket")


class _Node(Generic[Bucket]):
    __slots__ = ("here", "literals", "rest", "wild")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[Bucket]] = {}
        self.wild: _Node[Bucket] | None = None
        self.here: Bucket | None = None
        self.rest: Bucket | None = None


class SegmentTrie(Generic[Bucket]):
    """One bucket for every distinct shape of pattern; captures have no part in the shape."""

    __slots__ = ("_new_bucket", "_root")

    def __init__(self, new_bucket: Callable[[], Bucket]) -> None:
        self._root: _Node[Bucket] = _Node()
        self._new_bucket = new_bucket

    def bucket(self, pattern: SegmentPattern) -> Bucket:
        """The bucket of `pattern`, made at its first mention."""
        node = self._root
        for part in pattern.segments:
            if isinstance(part, str):
                child = node.literals.get(part)
                if child is None:
                    child = node.literals[part] = _Node()
            else:
                child = node.wild
                if child is None:
                    child = node.wild = _Node()
            node = child
        if pattern.rest:
            if node.rest is None:
                node.rest = self._new_bucket()
            return node.rest
        if node.here is None:
            node.here = self._new_bucket()
        return node.here

    def buckets(self, segments: Sequence[str]) -> list[Bucket]:
        """The buckets of all patterns that match `segments`. No node is reached twice."""
        found: list[Bucket] = []
        waiting: list[tuple[_Node[Bucket], int]] = []
        _walk(self._root, segments, 0, found, waiting)
        while waiting:
            node, depth = waiting.pop()
            _walk(node, segments, depth, found, waiting)
        return found


def _walk(
    node: _Node[Bucket],
    segments: Sequence[str],
    depth: int,
    found: list[Bucket],
    waiting: list[tuple[_Node[Bucket], int]],
) -> None:
    """Walk on from `node`, which `segments[:depth]` has reached; where the way forks, one branch waits."""
    for segment in segments[depth:] if depth else segments:
        depth += 1
        if node.rest is not None:
            found.append(node.rest)
        child = node.literals.get(segment)
        wild = node.wild
        if wild is not None and segment:
            if child is None:
                child = wild
            else:
                waiting.append((wild, depth))
        if child is None:
            return
        node = child
    if node.here is not None:
        found.append(node.here)
    if node.rest is not None:
        found.append(node.rest)
