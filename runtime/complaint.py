"""Trouble that repeats with every request is said once in a while, with a count, and never floods the log."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from runtime.limits import COMPLAINT_SECONDS


class Complaint:
    """One kind of trouble. Thread-safe."""

    __slots__ = ("_clock", "_lock", "_next", "_silent")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._next = float("-inf")
        self._silent = 0

    def due(self) -> int:
        """0 if it was said lately; else how many times it happened since, this one included."""
        with self._lock:
            self._silent += 1
            now = self._clock()
            if now < self._next:
                return 0
            self._next = now + COMPLAINT_SECONDS
            happened, self._silent = self._silent, 0
            return happened
