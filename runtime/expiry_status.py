"""The ends that a whole service knows of, by the word of all its processes: each object, and each metric, once."""

from collections.abc import Iterable

from runtime.expiry import Expiring, ExpiryKind, rfc3339_from_seconds
from runtime.limits import MAX_SHOWN_EXPIRIES, NEAR_EXPIRY_SECONDS
from runtime.process_status import ServiceStatus


def near_ends(status: ServiceStatus) -> tuple[Expiring, ...]:
    """What is near its end or past it, and every certificate that is served; the first end first."""
    found = dict.fromkeys(item for process in status.known for item in (*process.expiry.near, *process.front.served))
    return tuple(sorted(found, key=lambda item: item.ends))


def soonest_ends(status: ServiceStatus) -> dict[tuple[str, ExpiryKind], float]:
    """The first end for each trust entry and kind, epoch seconds; while workers differ, the first of any."""
    found: dict[tuple[str, ExpiryKind], float] = {}
    for process in status.known:
        for entry, kind, end in process.expiry.soonest:
            found[entry, kind] = min(end, found.get((entry, kind), end))
    return found


def soonest_served_end(status: ServiceStatus) -> float | None:
    """The first end in the chains that the listeners serve, epoch seconds; None if they serve none."""
    return min((item.ends for process in status.known for item in process.front.served), default=None)


def unlisted_ends(status: ServiceStatus) -> int:
    """How many more objects are near their end than the process with the most of them could list."""
    return max((process.expiry.near_count - len(process.expiry.near) for process in status.known), default=0)


def json_from_ends(items: Iterable[Expiring], now: float) -> dict[str, object]:
    """For `/readyz`: what has ended at `now` (epoch seconds) or does so within seven days."""
    shown = [item for item in items if item.ends - now < NEAR_EXPIRY_SECONDS]
    return {
        "expiring_count": len(shown),
        "expiring": [
            {
                "kind": item.kind,
                "entry": item.entry,
                "name": item.name,
                "expires": rfc3339_from_seconds(item.ends),
                "expired": item.has_ended(now),
            }
            for item in shown[:MAX_SHOWN_EXPIRIES]
        ],
    }
