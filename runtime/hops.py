"""Law 7: who may speak for others, default nobody.

`--trusted-hop CIDR` is believed the certificate that it forwards over HTTP; `unix` is every process that may open our
Unix socket. The gateway may ask a hop for a certificate of its own, too (`gateway.hops`). `--balancer CIDR` is believed
the address that it appended to X-Forwarded-For. The two are apart because the proxies that may ask often share a
network with the callers, and a caller must not choose its own address.
`--proxy-protocol CIDR` is believed the address in the PROXY header that it begins each connection with.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from runtime.errors import ConfigurationError
from runtime.limits import MAX_FORWARDED_ADDRESSES, MAX_REMEMBERED_ADDRESSES

IpAddress = IPv4Address | IPv6Address
UNIX = "unix"


@lru_cache(maxsize=MAX_REMEMBERED_ADDRESSES)
def address_from_text(text: str) -> IpAddress | None:
    """The IP address that `text` is, an IPv4-mapped one as IPv4, without a scope; None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


@lru_cache(maxsize=MAX_REMEMBERED_ADDRESSES)
def canonical_address(text: str) -> str | None:
    """`text` as the address that it is would be written; None if it is none."""
    address = address_from_text(text)
    return None if address is None else str(address)


@dataclass(frozen=True, slots=True)
class TrustedHops:
    """Peers that may speak for others."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, texts: tuple[str, ...]) -> Self:
        """Read the values of `--trusted-hop`. Raises ConfigurationError."""
        networks = tuple(network_from_text(text, "--trusted-hop") for text in texts if text != UNIX)
        return cls(networks, UNIX in texts)

    @classmethod
    def of_balancers(cls, texts: tuple[str, ...]) -> Self:
        """Read the values of `--balancer`. Raises ConfigurationError."""
        return cls(tuple(network_from_text(text, "--balancer") for text in texts))

    @classmethod
    def of_proxy_protocol(cls, texts: tuple[str, ...]) -> Self:
        """Read the values of `--proxy-protocol`. Raises ConfigurationError."""
        flag = "--proxy-protocol"
        return cls(tuple(network_from_text(text, flag) for text in texts if text != UNIX), UNIX in texts)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def has(self, address: IpAddress) -> bool:
        """Whether the peer at this address may speak for others."""
        return any(address.version == network.version and address in network for network in self.networks)

    def client_address(self, forwarded_for: str) -> IpAddress | None:
        """The right-most address of X-Forwarded-For (`a, b, c`) that is none of these: what the nearest of them saw.

        None if there is none, or if what stands there is not an address: what is further left was written by others.
        """
        for part in reversed(forwarded_for.rsplit(",", MAX_FORWARDED_ADDRESSES)[-MAX_FORWARDED_ADDRESSES:]):
            address = address_from_text(part.strip(" \t"))
            if address is None or not self.has(address):
                return address
        return None


NO_HOPS = TrustedHops()


def network_from_text(text: str, flag: str, *, may_be_all: bool = False) -> IPv4Network | IPv6Network:
    """The network that a value of `flag` is. `may_be_all`: also one that everybody is in. Raises ConfigurationError."""
    cidr, comma, condition = text.partition(",")
    if comma:
        raise ConfigurationError(
            f"{flag} {text}: {condition!r} is not supported by extauth; let the listener ask for a client "
            f"certificate (--tls-client-ca) and write {flag} {cidr}"
        )
    try:
        network = ip_network(cidr)
    except ValueError as error:
        alternative = "" if flag == "--balancer" else ", or unix"
        raise ConfigurationError(f"{flag} {text}: {error}; write a CIDR such as 10.1.0.0/16{alternative}") from None
    if network.prefixlen == 0 and not may_be_all:
        raise ConfigurationError(f"{flag} {text} trusts everybody: name the addresses of the proxies")
    return network
