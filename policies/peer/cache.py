"""A bounded, thread-safe map for what is dear to compute and cheap to forget."""

from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Two generations: what was used since the last turn stays, so a flood of one-time keys costs one generation only.

    A hit is one dict look-up, without a lock. `entries` and `weight` bound both generations together; the weight of an
    entry is what `put` is told.
    """

    __slots__ = ("_entries", "_lock", "_old", "_weight", "_young", "_young_weight")

    def __init__(self, entries: int, weight: int = 0) -> None:
        self._entries = max(1, entries // 2)
        self._weight = weight // 2
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._young_weight = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value of `key`, or None if it is not (or no longer) known."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                return None
            self.put(key, *found)
        return found[0]

    def put(self, key: K, value: V, weight: int = 0) -> None:
        """Remember `value`, unless it alone is heavier than a generation may be."""
        if weight > self._weight:
            return
        with self._lock:
            if len(self._young) >= self._entries or self._young_weight + weight > self._weight:
                self._old, self._young, self._young_weight = self._young, {}, 0
            if key not in self._young:
                self._young_weight += weight
            self._young[key] = (value, weight)

    def __len__(self) -> int:
        """Entries held, those of the old generation included."""
        return len(self._young) + len(self._old)
