"""How many connections there are, in all and of each address."""

import ipaddress
from collections import Counter
from enum import StrEnum

from gateway.server.attempt import Source


class Excess(StrEnum):
    """Why a connection is one too many."""

    TOTAL = "the listener has as many connections as it takes (--max-connections)"
    ADDRESS = "its address has as many connections as one may (--max-connections-per-address)"
    HANDSHAKES = "too many handshakes are under way"


class ConnectionCaps:
    """Counts connections against their bounds. For one thread."""

    def __init__(self, total: int, of_address: int) -> None:
        self._total = total
        self._of_address = of_address
        self._by_address: Counter[str] = Counter()
        self.count = 0

    def excess(self) -> Excess | None:
        """Whether there may be no more connection at all."""
        return Excess.TOTAL if self.count >= self._total else None

    def taken(self, source: Source) -> Excess | None:
        """Count a connection of `source`, unless its address has too many. Unix sockets have none."""
        if source is not None:
            key = address_key(source[0])
            if self._by_address[key] >= self._of_address:
                return Excess.ADDRESS
            self._by_address[key] += 1
        self.count += 1
        return None

    def left(self, source: Source) -> None:
        """A connection that was counted is no more."""
        self.count -= 1
        if source is not None:
            key = address_key(source[0])
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]


def address_key(host: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, which one client has whole."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(int(address) >> 64)
