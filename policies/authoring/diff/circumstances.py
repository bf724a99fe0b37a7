"""Values for what a request has beside host, path and caller: method, headers, source address, server name, time.

INVARIANT: for the conditions given, the candidates hold one value of every kind that they can tell apart, so that if
none of them satisfies the conditions together, no value does. For time see `times`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import product

from policies.authoring.diff.literal import (
    ClockIn,
    Condition,
    GrpcContent,
    HeaderHas,
    MethodIn,
    NotBefore,
    SniIn,
    SourceIn,
)
from policies.engine.host import HostPattern
from policies.engine.request import UNREPORTED, Unreported

_COMMON_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
#: RFC 5737 and RFC 3849: addresses for documentation, to be outside of networks that are meant.
_ELSEWHERE = (IPv4Address("192.0.2.1"), IPv6Address("2001:db8::1"))
_AFTER_MAPPED = IPv6Address(int(IPv6Address("::ffff:0:0")) + (1 << 32))
_DAY = 86_400.0
#: Days of which the beginnings and ends of daily windows are looked at: every weekday, and over midnight.
_DAYS = 9
#: Seconds between the weeks that are looked at: in a year, every offset of a time zone from UTC.
_QUARTER = 91 * _DAY


def methods(conditions: Iterable[Condition], fresh: Callable[[str], str]) -> Iterator[str]:
    """The common methods, those that are listed, and another one."""
    listed = [method for condition in conditions if isinstance(condition, MethodIn) for method in condition.methods]
    yield from dict.fromkeys([*_COMMON_METHODS, *sorted(listed), fresh("method").upper()])


def header_name(condition: Condition) -> str | None:
    """The header that `condition` is about, in lower case; None if it is about something else."""
    if isinstance(condition, GrpcContent):
        return "content-type"
    return condition.header.name if isinstance(condition, HeaderHas) else None


def header_values(conditions: Iterable[Condition], fresh: Callable[[str], str]) -> Iterator[tuple[str, ...]]:
    """What one header may hold, all conditions being about it: nothing, each listed value, another, two (unknown)."""
    listed: dict[str, None] = {}
    for condition in conditions:
        if isinstance(condition, GrpcContent):
            listed["application/grpc"] = None
        elif isinstance(condition, HeaderHas):
            listed.update(dict.fromkeys(sorted(condition.header.values)))
    yield ()
    yield from ((value,) for value in listed)
    yield from ((fresh("other"),), ("a", "b"))


def sources(conditions: Iterable[Condition]) -> Iterator[IPv4Address | IPv6Address | None]:
    """An address of every stretch that the networks leave, and none (unknown)."""
    networks = [network for item in conditions if isinstance(item, SourceIn) for network in item.networks]
    yield from addresses(networks)
    yield None


def addresses(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[IPv4Address | IPv6Address]:
    """An address of every stretch between the ends of these networks; none is IPv4-mapped."""
    yield from _ELSEWHERE
    found: dict[IPv4Address | IPv6Address, None] = {}
    for network in networks:
        found[_first_host(network)] = None
        found[network.network_address] = None
        if int(network.broadcast_address) + 1 < 1 << network.max_prefixlen:
            found[network.broadcast_address + 1] = None
    found.update(dict.fromkeys([IPv4Address(0), IPv6Address(0), _AFTER_MAPPED]))
    yield from (address for address in found if getattr(address, "ipv4_mapped", None) is None)


def server_names(
    conditions: Iterable[Condition], host: str, fresh: Callable[[str], str]
) -> Iterator[str | Unreported | None]:
    """The host, names that match each pattern with one label and with more, another name, none, and unreported."""
    patterns = [pattern for item in conditions if isinstance(item, SniIn) for pattern in item.patterns]
    yield host
    for pattern in patterns:
        yield from _instances(pattern, fresh)
    yield f"{fresh('other')}.{fresh('other')}"
    yield None
    yield UNREPORTED


def times(conditions: Sequence[Condition], now: float) -> Iterator[float]:
    """Now, and every moment at which one of the conditions changes.

    Daily windows are looked at for nine days after now and after every given moment, and three more times a quarter of
    a year apart: all weekdays, all offsets of a time zone from UTC.
    """
    moments = sorted({item.moment for item in conditions if isinstance(item, NotBefore)})
    starts = [now, *moments, *([moments[0] - 1.0] if moments else [])]
    yield from starts
    clocks = [item for item in conditions if isinstance(item, ClockIn)]
    if not clocks:
        return
    bases = [*starts, *([moments[0] - _DAYS * _DAY] if moments else [])]
    for base, quarter in product(bases, range(4)):
        for clock in clocks:
            yield from _edges(clock, base + quarter * _QUARTER)


def _edges(clock: ClockIn, base: float) -> Iterator[float]:
    try:
        local = datetime.fromtimestamp(base, clock.timezone).replace(hour=0, minute=0, second=0, microsecond=0)
        minutes = {0}.union(*({window.start, window.end} for window in clock.hours))
        for day, minute in product(range(_DAYS), sorted(minutes)):
            naive = local.replace(tzinfo=None) + timedelta(days=day, minutes=minute)
            for fold in (0, 1):  # what the clocks show twice, when they are set back
                found = naive.replace(tzinfo=clock.timezone, fold=fold).astimezone(UTC).timestamp()
                if found >= base:
                    yield found
    except (OverflowError, OSError, ValueError):
        return


def _first_host(network: IPv4Network | IPv6Network) -> IPv4Address | IPv6Address:
    """The second address of a network, which people take for an address more readily than the first."""
    return network.network_address + 1 if network.num_addresses > 1 else network.network_address


def _instances(pattern: HostPattern, fresh: Callable[[str], str]) -> Iterator[str]:
    if pattern.depth == 0:
        yield pattern.suffix
        return
    yield f"{fresh('sni')}.{pattern.suffix}"
    if pattern.depth == 2:
        yield f"{fresh('sni')}.{fresh('sni')}.{pattern.suffix}"
        yield f"{fresh('sni')}.{fresh('sni')}.{fresh('sni')}.{pattern.suffix}"
