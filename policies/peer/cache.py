"""A bounded, thread-safe map for what is dear to compute and cheap to forget."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Two generations: what was used since the last turn stays, so a flood of one-time keys costs one generation only.

    `get` gives the value of a key, or None if it is not (or no longer) known; a hit is one dict look-up, without a lock
    or a call of Python. `entries` and `weight` bound both generations together; the weight of an entry is what `put` is
    told.
    """

    __slots__ = ("_entries", "_lock", "_old", "_weight", "_weights", "_young", "_young_weight", "get")

    def __init__(self, entries: int, weight: int = 0) -> None:
        self._entries = max(1, entries // 2)
        self._weight = weight // 2
        self._young: _Young[K, V] = _Young(self._recalled)
        self._weights: dict[K, int] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._young_weight = 0
        self._lock = Lock()
        self.get: Callable[[K], V | None] = self._young.__getitem__

    def _recalled(self, key: K) -> V | None:
        """What the old generation knows; it goes on in the young one."""
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
            young, weights = self._young, self._weights
            if len(young) >= self._entries or self._young_weight + weight > self._weight:
                self._old = {known: (young[known], held) for known, held in weights.items()}
                young.clear()
                weights.clear()
                self._young_weight = 0
            self._young_weight += weight - weights.get(key, 0)
            weights[key] = weight
            young[key] = value

    def __len__(self) -> int:
        """Entries held, those of the old generation included."""
        return len(self._young) + len(self._old)


class _Young(dict[K, V]):
    """The young generation, which asks for what it does not have."""

    __slots__ = ("_recalled",)

    def __init__(self, recalled: Callable[[K], V | None]) -> None:
        super().__init__()
        self._recalled = recalled

    def __missing__(self, key: K) -> V | None:
        return self._recalled(key)
