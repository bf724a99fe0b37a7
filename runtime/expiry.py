"""When trust ends: the instants after which a CA certificate, a CRL or our own certificate proves nothing.

Law 9 is not kept here: a decision judges dates by itself, on every request. This tells people in time. It is computed
once for each generation and never on the way of a request.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import nsmallest

from runtime.limits import MAX_EXPIRY_SERIES, MAX_NEAR_EXPIRIES, NEAR_EXPIRY_SECONDS

DAY_SECONDS = 86_400.0
#: Days before the end at which people are warned.
_WARNING_DAYS = (30, 14, 7, 1)


class ExpiryKind(StrEnum):
    """What it is that ends."""

    ANCHOR = "anchor"
    INTERMEDIATE = "intermediate"
    CRL = "crl"
    SERVED = "served"


@dataclass(frozen=True, slots=True)
class Expiring:
    """One object with an end.

    - `entry`: the trust entry that it belongs to; None for a certificate that we serve.
    - `name`: the subject, or the issuer of a CRL, RFC 4514.
    - `digest`: SHA-256 of the certificate, or of a CRL's signature: what is renewed is another object.
    - `starts`, `ends`: notBefore and notAfter, or thisUpdate and nextUpdate; epoch seconds, UTC. At `ends` itself the
      object still counts (RFC 5280 §4.1.2.5).
    """

    kind: ExpiryKind
    entry: str | None
    name: str
    digest: bytes
    starts: float
    ends: float

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Seconds before the end at which people are warned, sorted: a third of the life, and 1, 7, 14 and 30 days.

        Days count for what lives at least twice as long: a CRL of one day is not late on its first morning.
        """
        life = self.ends - self.starts
        days = {days * DAY_SECONDS for days in _WARNING_DAYS if 2 * days * DAY_SECONDS <= life}
        return tuple(sorted(days | {max(0.0, life / 3)}))

    def has_ended(self, now: float) -> bool:
        """Whether it counts no more at `now`, epoch seconds."""
        return now > self.ends

    def passed(self, now: float) -> float | None:
        """The last threshold that was passed by `now`; 0 if it has ended, None if there is nothing to say yet."""
        remaining = self.ends - now
        if remaining < 0:
            return 0.0
        return next((threshold for threshold in self.thresholds if remaining < threshold), None)

    @property
    def near_from(self) -> float:
        """The instant after which it is near its end: a warning is due, or health detail lists it."""
        return self.ends - max(NEAR_EXPIRY_SECONDS, *self.thresholds)


@dataclass(frozen=True, slots=True)
class ExpiryReport:
    """What one process knows of ends. Bounded: it is sent every second.

    - `soonest`: for each trust entry and kind the first end, epoch seconds; where there are too many, the first ones.
    - `near`: what is near its end or past it, the first end first; `near_count` counts also what is left out.
    """

    soonest: tuple[tuple[str, ExpiryKind, float], ...] = ()
    near: tuple[Expiring, ...] = ()
    near_count: int = 0


NOTHING_ENDS = ExpiryReport()


class ExpiryCalendar:
    """Everything that ends in the trust of one generation. Thread-safe."""

    def __init__(self, objects: Iterable[Expiring] = ()) -> None:
        self._objects = sorted(objects, key=lambda item: item.near_from)
        self._near_from = [item.near_from for item in self._objects]
        self._soonest = _soonest(self._objects)
        self._reported = ExpiryReport(self._soonest)

    def report(self, now: float) -> ExpiryReport:
        """What is to be told at `now`, epoch seconds. Worked out anew only when one more object comes near its end."""
        count = bisect_left(self._near_from, now)
        reported = self._reported
        if reported.near_count != count:
            near = nsmallest(MAX_NEAR_EXPIRIES, self._objects[:count], key=lambda item: item.ends)
            reported = self._reported = ExpiryReport(self._soonest, tuple(near), count)
        return reported


def rfc3339_from_seconds(seconds: float) -> str:
    """Epoch seconds as RFC 3339 text in UTC, whole seconds; a certificate's dates have no others."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _soonest(objects: Iterable[Expiring]) -> tuple[tuple[str, ExpiryKind, float], ...]:
    ends: dict[tuple[str, ExpiryKind], float] = {}
    for item in objects:
        if item.entry is not None:
            key = item.entry, item.kind
            ends[key] = min(item.ends, ends.get(key, item.ends))
    first = nsmallest(MAX_EXPIRY_SERIES, ends.items(), key=lambda item: item[1])
    return tuple(sorted((entry, kind, end) for (entry, kind), end in first))
