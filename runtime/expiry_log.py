"""Warnings of what ends, in the service log: once for each threshold of each object, and daily for what has ended.

One process of a service says them: the lone one, or the supervisor, who hears of all objects from its workers. So
several workers do not repeat each other, and a restarted worker does not repeat the one before.
"""

from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import time
from types import TracebackType
from typing import NamedTuple, Self

from runtime.expiry import DAY_SECONDS, Expiring, ExpiryKind, rfc3339_from_seconds
from runtime.expiry_status import near_ends, unlisted_ends
from runtime.limits import EXPIRY_LOOK_SECONDS, EXPIRY_STOP_SECONDS, MAX_REMEMBERED_EXPIRIES
from runtime.process_status import ServiceStatus
from runtime.service_log import service_logger

_LOGGER = service_logger("expiry")

_NOUNS = {
    ExpiryKind.ANCHOR: "an anchor",
    ExpiryKind.INTERMEDIATE: "an intermediate",
    ExpiryKind.CRL: "a CRL",
    ExpiryKind.SERVED: "the listener's certificate",
}


class _Said(NamedTuple):
    """The last word on an object: the threshold that it had passed (0 = ended), and when that was said."""

    threshold: float
    at: float


class ExpiryLog:
    """Says what is due and remembers what was said. Used by one thread."""

    def __init__(self) -> None:
        self._said: dict[Expiring, _Said] = {}
        self._said_unlisted_at = float("-inf")

    def look(self, items: Sequence[Expiring], unlisted: int, now: float) -> None:
        """Warn of what passed a threshold by `now` (epoch seconds). `unlisted`: how many are not among `items`."""
        for item in items:
            passed = item.passed(now)
            if passed is not None and self._is_due(item, passed, now):
                self._said[item] = _Said(passed, now)
                _warn(item, now)
        if unlisted and _day_apart(self._said_unlisted_at, now):
            self._said_unlisted_at = now
            _LOGGER.warning("more is near its end than is listed", extra={"facts": {"unlisted": unlisted}})
        if len(self._said) > MAX_REMEMBERED_EXPIRIES:
            self._said = {item: self._said[item] for item in items if item in self._said}

    def _is_due(self, item: Expiring, passed: float, now: float) -> bool:
        said = self._said.get(item)
        if said is None or passed < said.threshold:
            return True
        return passed == 0 and _day_apart(said.at, now)


class ExpiryWatch:
    """A thread that looks at the status of a service every few seconds. A context manager."""

    def __init__(self, status: Callable[[], ServiceStatus], clock: Callable[[], float] = time) -> None:
        """`clock`: epoch seconds, UTC."""
        self._status = status
        self._clock = clock
        self._log = ExpiryLog()
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="expiry-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(EXPIRY_STOP_SECONDS)

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                status = self._status()
                self._log.look(near_ends(status), unlisted_ends(status), self._clock())
            except Exception:
                _LOGGER.exception("watching what ends failed, going on")
            self._stop.wait(EXPIRY_LOOK_SECONDS)


def _warn(item: Expiring, now: float) -> None:
    facts: dict[str, object] = {"kind": item.kind.value}
    if item.entry is not None:
        facts["entry"] = item.entry
    facts |= {"name": item.name, "expires": rfc3339_from_seconds(item.ends)}
    if item.kind is not ExpiryKind.CRL:
        facts["sha256"] = item.digest.hex()
    if item.has_ended(now):
        _LOGGER.warning("%s has expired", _NOUNS[item.kind], extra={"facts": facts})
    else:
        facts["days_left"] = round((item.ends - now) / DAY_SECONDS, 2)
        _LOGGER.warning("%s expires soon", _NOUNS[item.kind], extra={"facts": facts})


def _day_apart(before: float, now: float) -> bool:
    """Whether a day lies between two times; also if the clock was set back by so much."""
    return abs(now - before) >= DAY_SECONDS
