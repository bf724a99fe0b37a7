"""The other conditions of a rule: where from, when, and request headers. Each is false, unknown or true."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from math import isnan

from policies.engine.errors import HostInvalid
from policies.engine.host import HostPattern, canonical_host
from policies.engine.request import UNREPORTED, Request
from policies.engine.truth import FALSE, TRUE, UNKNOWN, Truth

#: What undecodable bytes became (`surrogateescape`).
_UNREADABLE = re.compile("[\udc80-\udcff]")


class Networks:
    """A set of networks; asking whether an address lies in it costs one look-up for every prefix length."""

    __slots__ = ("_by_version", "cidrs")

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network]) -> None:
        self.cidrs = tuple(networks)
        shifts: dict[int, dict[int, set[int]]] = {4: {}, 6: {}}
        for network in self.cidrs:
            shift = network.max_prefixlen - network.prefixlen
            shifts[network.version].setdefault(shift, set()).add(int(network.network_address) >> shift)
        self._by_version = {
            version: tuple((shift, frozenset(prefixes)) for shift, prefixes in by_shift.items())
            for version, by_shift in shifts.items()
        }

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether `address` lies in one of the networks of its own family."""
        number = int(address)
        return any((number >> shift) in prefixes for shift, prefixes in self._by_version[address.version])


@dataclass(frozen=True, slots=True)
class Origin:
    """`from` and `not_from`: where the connection must, and must not, come from. None = no such condition."""

    inside: Networks | None
    outside: Networks | None

    def truth(self, request: Request) -> Truth:
        """UNKNOWN if the source address is."""
        address = request.source_ip
        if address is None:
            return UNKNOWN
        if self.inside is not None and address not in self.inside:
            return FALSE
        if self.outside is not None and address in self.outside:
            return FALSE
        return TRUE


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` to before `end`, minutes of the day; `end` <= `start` runs over midnight."""

    start: int
    end: int

    def starts_before_midnight_of(self, minute: float) -> int | None:
        """How many days before that of `minute` the window containing it started (0 or 1); None if it is outside."""
        if self.start < self.end:
            return 0 if self.start <= minute < self.end else None
        if minute >= self.start:
            return 0
        return 1 if minute < self.end else None


@dataclass(frozen=True, slots=True)
class When:
    """`when`: every given part must hold. `days`: 0 = Monday; empty `days`, `hours` and `sni` are no condition."""

    sni: tuple[HostPattern, ...]
    after: float | None
    before: float | None
    days: frozenset[int]
    hours: tuple[Hours, ...]
    timezone: tzinfo

    def truth(self, request: Request) -> Truth:
        """False AND unknown is false."""
        if (self.after is not None and request.time < self.after) or (
            self.before is not None and request.time >= self.before
        ):
            return FALSE
        if isnan(request.time):
            return UNKNOWN
        truth = self._sni_truth(request) if self.sni else TRUE
        if truth != FALSE and (self.days or self.hours):
            truth = min(truth, self._clock_truth(request.time))
        return truth

    def _sni_truth(self, request: Request) -> Truth:
        if request.sni is UNREPORTED:
            return UNKNOWN
        if not request.sni:
            return FALSE
        try:
            name = canonical_host(request.sni)
        except HostInvalid:
            return UNKNOWN
        return TRUE if any(pattern.bound(name) is not None for pattern in self.sni) else FALSE

    def _clock_truth(self, time: float) -> Truth:
        try:
            local = datetime.fromtimestamp(time, self.timezone)
            yesterday = local - timedelta(days=1)
        except (OverflowError, OSError, ValueError):
            return UNKNOWN
        minute = local.hour * 60 + local.minute + local.second / 60
        started = {window.starts_before_midnight_of(minute) for window in self.hours} if self.hours else {0}
        weekday = {0: local.weekday(), 1: yesterday.weekday()}
        held = any(days is not None and (not self.days or weekday[days] in self.days) for days in started)
        return TRUE if held else FALSE


@dataclass(frozen=True, slots=True)
class HeaderIs:
    """The header occurs once and its whole value, outer blanks trimmed, is one of `values`."""

    name: str
    values: frozenset[str]

    def truth(self, request: Request) -> Truth:
        """Absent is false; repeated, with a comma, not UTF-8, or not shown to this enforcement point is unknown."""
        if request.seen_headers is not None and self.name not in request.seen_headers:
            return UNKNOWN
        received = request.headers.get(self.name)
        if not received:
            return FALSE
        value = received[0]
        if len(received) > 1 or "," in value or _UNREADABLE.search(value):
            return UNKNOWN
        return TRUE if value.strip(" \t") in self.values else FALSE


def is_grpc(request: Request) -> bool:
    """Whether the content type is `application/grpc`, alone or followed by `+…` or `;…`; one value, without a comma."""
    received = request.headers.get("content-type")
    if received is None or len(received) != 1 or "," in received[0]:
        return False
    value = received[0].strip(" \t").lower()
    return value == "application/grpc" or value.startswith(("application/grpc+", "application/grpc;"))
