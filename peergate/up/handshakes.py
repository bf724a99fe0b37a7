"""The handshakes of the Envoy of `up`: those that failed are said in the service log, and all of them are counted."""

from collections.abc import Callable
from time import monotonic

from extauth.native.handshakes import failed_handshake_from_line
from runtime.handshake_failure import FailureLog
from runtime.metrics import Metrics

#: Seconds between two questions to Envoy about how many were done.
ASK_SECONDS = 1.0


class Handshakes:
    """Used by one thread at a time."""

    def __init__(self, metrics: Metrics, done: Callable[[], int], clock: Callable[[], float] = monotonic) -> None:
        """`done`: how many this Envoy has done. Raises OSError while it does not answer."""
        self._metrics = metrics
        self._done = done
        self._clock = clock
        self._failures = FailureLog(clock)
        self._asked = clock()
        self._counted = 0

    def take(self, line: bytes) -> None:
        """A line of `extauth.native.handshakes`. Raises ValueError."""
        facts = failed_handshake_from_line(line)
        if facts is not None:
            self._metrics.handshake_failed.inc()
            self._failures.say(lambda: facts)

    def count_done(self) -> None:
        """Count those that were done since. An Envoy that was started anew has begun at zero."""
        if self._clock() - self._asked < ASK_SECONDS:
            return
        self._asked = self._clock()
        try:
            done = self._done()
        except OSError:
            return  # there is none at the moment
        self._metrics.handshake_done.inc(done - self._counted if done >= self._counted else done)
        self._counted = done
