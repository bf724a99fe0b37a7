"""How many requests a stream may still send: a bucket that fills with time."""


class Allowance:
    """`burst` at once, `rate` per second from then on. Times are seconds of any one clock."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst = self._left = burst
        self._rate = rate
        self._at = now

    def taken(self, now: float) -> bool:
        """Take one; False if there is none."""
        # A clock that was set back gives nothing and takes nothing.
        self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
