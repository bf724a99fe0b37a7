"""Finds what begins alike: if two patterns can match one thing, the literal beginning of one continues the other's."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Prefix = tuple[Hashable, ...]


class PrefixIndex(Generic[Item]):
    """Items filed under sequences; asked for what is filed under a beginning or a continuation of one."""

    def __init__(self) -> None:
        self._here: dict[Prefix, list[Item]] = {}
        self._below: dict[Prefix, list[Item]] = {}

    def file(self, prefix: Prefix, item: Item) -> None:
        """File `item` under `prefix`."""
        self._here.setdefault(prefix, []).append(item)
        for size in range(len(prefix) + 1):
            self._below.setdefault(prefix[:size], []).append(item)

    def continuing(self, prefix: Prefix) -> Iterable[Item]:
        """What is filed under `prefix` or a continuation of it."""
        return self._below.get(prefix, ())

    def beginning(self, prefix: Prefix) -> Iterable[Item]:
        """What is filed under a beginning of `prefix` that is shorter than it."""
        for size in range(len(prefix)):
            yield from self._here.get(prefix[:size], ())
