"""How an examination names times, spans and certificates."""

from datetime import UTC, datetime
from math import isfinite

from policies.language.wording import quoted
from policies.peer.certificate import Certificate

# The first and the last second that RFC 3339 can write.
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def utc(time: float) -> str:
    """RFC 3339 to the second, such as `2026-12-01T00:00:00Z`; `time` is epoch seconds, cut to the years 1 to 9999."""
    return datetime.fromtimestamp(int(max(_EARLIEST, min(_LATEST, time))), UTC).isoformat().replace("+00:00", "Z")


def span(seconds: float) -> str:
    """A length of time in its two largest units, such as `3 d 4 h`; rounded down."""
    left = int(seconds)
    counts: list[tuple[int, str]] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count or counts:
            counts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in counts[:2] if count) or "0 s"


def validity(start: float, end: float, time: float) -> str:
    """From when to when something is valid, and how long that still is at `time`."""
    return f"{utc(start)} to {utc(end)}, {_relation(start, end, time)}"


def _relation(start: float, end: float, time: float) -> str:
    if not isfinite(time):
        return "at no time that is known"
    if time < start:
        return f"begins in {span(start - time)}"
    return f"{span(end - time)} left" if time <= end else f"ended {span(time - end)} ago"


def called(certificate: Certificate) -> str:
    """A certificate by its subject, else by its first SAN, in backticks."""
    san = certificate.extensions.san
    names = (*san.uri, *san.dns, *san.email, *map(str, san.ip))
    return quoted(certificate.subject.text or next(iter(names), "a certificate without a name"))
