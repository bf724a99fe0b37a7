"""Whether something advances: a deadline for what may take long as long as it goes on."""


class Pace:
    """Watches a count that should grow by at least `least` in each window of `seconds`."""

    __slots__ = ("_count", "_least", "_seconds", "_since")

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds = seconds
        self._least = least
        self._since: float | None = None
        self._count = 0

    def restart(self, now: float, count: int = 0) -> None:
        """A window begins now."""
        self._since, self._count = now, count

    def is_too_slow(self, now: float, count: int) -> bool:
        """Whether a window ended without its growth; if it ended with it, the next begins."""
        if self._since is None:
            self.restart(now, count)
            return False
        if now - self._since < self._seconds:
            return False
        slow = count - self._count < self._least
        self.restart(now, count)
        return slow
