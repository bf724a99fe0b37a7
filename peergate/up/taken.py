"""Whether Envoy has taken what it was told: what it refuses is in its log only, and the old policy would stay."""

from collections.abc import Callable
from time import monotonic

#: Seconds that Envoy has, and answers with another version after that which mean that it does not take it.
TAKE_SECONDS = 1.0
ANSWERS = 2
#: Seconds that Envoy may be busy with it and answer nobody; the largest policies take a part of that.
BUSY_SECONDS = 60.0


class Taken:
    """Of one resource, the last version that was told. Used by one thread at a time."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._told, self._since = "", 0.0
        self._others: int | None = None

    def tell(self, version: str) -> None:
        """Envoy is told this version, or is asked anew whether it has it."""
        self._told, self._since, self._others = version, self._clock(), 0

    @property
    def is_open(self) -> bool:
        """Whether it is not known yet that Envoy has taken it."""
        return self._others is not None

    @property
    def may_be_busy(self) -> bool:
        """Whether an Envoy that does not answer may still be taking it."""
        return self._clock() - self._since <= BUSY_SECONDS

    def is_refused(self, version: str) -> bool:
        """Whether Envoy had the time, and has another version. `version`: what it says that it has."""
        if self._others is None or version == self._told:
            self._others = None
            return False
        if self._clock() - self._since > TAKE_SECONDS:
            self._others += 1
        return self._others >= ANSWERS
