"""Words for the segments of hosts, paths and SANs: equal where a pattern or a name in braces says so, else new ones.

INVARIANT: of all sequences of given lengths that match some patterns, the one with new and distinct words wherever a
word is free matches the fewest other patterns (equality over infinitely many words is a Horn theory). So if it matches
a pattern, or a combination of patterns with names in common, every other one does.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern, Wild

_Variable = Hashable


@dataclass(frozen=True, slots=True)
class Wish:
    """The sequence `of` matches `pattern`. Names in braces are equal within one `scope`: one rule."""

    scope: int
    of: Hashable
    pattern: SegmentPattern


def words_from_wishes(
    wishes: Sequence[Wish],
    lengths: Mapping[Hashable, int],
    slashed: bool,
    fresh: Callable[[str], str],
) -> Mapping[Hashable, tuple[str, ...]] | None:
    """The segments of every sequence in `lengths`, None if no segments match. `slashed`: the path ends in a slash."""
    classes = _Classes()
    if slashed and not classes.bind(("path", lengths["path"] - 1), ""):
        return None
    for wish in wishes:
        if not _granted(wish, lengths[wish.of], classes):
            return None
    # From the end, as people number the labels of a host.
    return {
        of: tuple([classes.word(of, at, fresh) for at in reversed(range(length))][::-1])
        for of, length in lengths.items()
    }


def _granted(wish: Wish, length: int, classes: "_Classes") -> bool:
    pattern = wish.pattern
    if length < len(pattern.segments) or (length > len(pattern.segments) and not pattern.rest):
        return False
    for at, part in enumerate(pattern.segments):
        variable = (wish.of, at)
        if isinstance(part, str):
            if not classes.bind(variable, part):
                return False
        elif not classes.mark_full(variable) or (
            part.capture is not None and not classes.unite(variable, (wish.scope, "{", part.capture))
        ):
            return False
    return True


class _Classes:
    """Variables that must be equal, with the word that they must be, if it is given."""

    def __init__(self) -> None:
        self._parents: dict[_Variable, _Variable] = {}
        self._words: dict[_Variable, str] = {}
        self._full: set[_Variable] = set()

    def bind(self, variable: _Variable, word: str) -> bool:
        """Let it be `word`; False if it is another one already."""
        root = self._root(variable)
        return self._words.setdefault(root, word) == word and (word != "" or root not in self._full)

    def mark_full(self, variable: _Variable) -> bool:
        """Let it not be empty; False if it is."""
        root = self._root(variable)
        self._full.add(root)
        return self._words.get(root) != ""

    def unite(self, one: _Variable, other: _Variable) -> bool:
        """Let both be equal; False if they are two words."""
        left, right = self._root(one), self._root(other)
        if left == right:
            return True
        self._parents[left] = right
        if left in self._full and not self.mark_full(right):
            return False
        return left not in self._words or self.bind(right, self._words[left])

    def word(self, of: Hashable, at: int, fresh: Callable[[str], str]) -> str:
        """The word at a place; a new one where it is free."""
        root = self._root((of, at))
        if root not in self._words:
            self._words[root] = fresh(_called(root))
        return self._words[root]

    def _root(self, variable: _Variable) -> _Variable:
        while variable in self._parents:
            variable = self._parents[variable]
        return variable


def _called(variable: _Variable) -> str:
    """What a variable is named after: the name in braces, or the sequence."""
    named = variable[-1] if isinstance(variable, tuple) and "{" in variable else variable
    while isinstance(named, tuple):
        named = named[0]
    return str(named)


@lru_cache(maxsize=65536)
def labels_pattern(pattern: HostPattern) -> SegmentPattern:
    """A host pattern over the labels of a host in reverse order."""
    labels = (pattern.suffix,) if pattern.suffix[0] == "[" else tuple(reversed(pattern.suffix.split(".")))
    wild = () if pattern.depth == 0 else (Wild(pattern.capture),)
    return SegmentPattern((*labels, *wild), pattern.depth == 2)
