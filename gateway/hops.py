"""Law 7: which peers of a listener may say what certificate a client has, default nobody.

`--trusted-hop CIDR` is everybody at an address of the network, `unix` every process that may open our Unix socket. With
`,spiffe=ID` the peer must also show a certificate that the policy's own trust vouches for: its dates, chain and
revocation are judged on every request, as those of a caller are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Self

from gateway.server.attempt import Source
from policies.engine.policy_set import PolicySet
from policies.peer.errors import SpiffeIdError
from policies.peer.presented import Presented, PresentedCertificate
from policies.peer.spiffe import SpiffeId
from runtime.address import Address, UnixAddress
from runtime.errors import ConfigurationError, UntrustedHopError
from runtime.hops import UNIX, address_from_text, network_from_text

_FLAG = "--trusted-hop"
_CONDITION = "spiffe="


@dataclass(frozen=True, slots=True)
class FrontHop:
    """One value of the flag. `network`: None is the Unix socket. `spiffe_id`: None asks for no certificate."""

    network: IPv4Network | IPv6Network | None
    spiffe_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `CIDR[,spiffe=ID]` or `unix[,spiffe=ID]`. Raises ConfigurationError."""
        place, comma, condition = text.partition(",")
        spiffe_id = _spiffe_id(text, condition) if comma else None
        if place == UNIX:
            return cls(None, spiffe_id)
        return cls(network_from_text(place, _FLAG, may_be_all=spiffe_id is not None), spiffe_id)

    def is_at(self, source: Source) -> bool:
        """Whether a peer comes from there. `source`: of the socket."""
        if source is None or self.network is None:
            return source is None and self.network is None
        address = address_from_text(source[0])
        return address is not None and address.version == self.network.version and address in self.network


@dataclass(frozen=True, slots=True)
class FrontHops:
    """All values of the flag; a peer is trusted if one of them says so."""

    hops: tuple[FrontHop, ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read the values of the flag. Raises ConfigurationError."""
        return cls(tuple(map(FrontHop.parse, texts)))

    @property
    def are_all_named(self) -> bool:
        """Whether none is trusted without a certificate."""
        return all(hop.spiffe_id is not None for hop in self.hops)

    @property
    def are_named(self) -> bool:
        """Whether some are trusted by a certificate."""
        return any(hop.spiffe_id is not None for hop in self.hops)

    def can_reach(self, listen: Address) -> bool:
        """Whether one of them could connect there: over a Unix socket comes `unix`, over TCP an address."""
        return any((hop.network is None) is isinstance(listen, UnixAddress) for hop in self.hops)

    def require(self, source: Source, peer: Presented, policy: PolicySet | None, time: float) -> None:
        """Raise UntrustedHopError unless the peer at `source`, who presented `peer`, is one of them at `time`."""
        there = [hop for hop in self.hops if hop.is_at(source)]
        if not there:
            hint = f"start with {_FLAG} {UNIX if source is None else 'CIDR'}"
            raise UntrustedHopError(f"the caller {_shown(source)} is no trusted hop: {hint}")
        if not any(hop.spiffe_id is None or _is_named(hop.spiffe_id, peer, policy, time) for hop in there):
            raise UntrustedHopError(
                f"the caller {_shown(source)} is at a trusted address, but its certificate is not the one that "
                f"{_FLAG} asks for ({there[0].spiffe_id}), or the policy's trust does not vouch for it"
            )


def _is_named(spiffe_id: str, peer: Presented, policy: PolicySet | None, time: float) -> bool:
    """Whether `peer` is `spiffe_id`. Only the entry of its trust domain passes a leaf with such a name."""
    if policy is None or not isinstance(peer, PresentedCertificate) or spiffe_id not in (peer.leaf.identity.uri or ()):
        return False
    hop = policy.caller(peer, time)
    return hop.reason is None and bool(hop.trust)


def _spiffe_id(text: str, condition: str) -> str:
    try:
        if condition.startswith(_CONDITION):
            return str(SpiffeId.parse(condition.removeprefix(_CONDITION)))
    except SpiffeIdError as error:
        raise ConfigurationError(f"{_FLAG} {text}: {error}") from None
    raise ConfigurationError(f"{_FLAG} {text}: write {_FLAG} CIDR,spiffe=spiffe://DOMAIN/PATH, or leave it out")


def _shown(source: Source) -> str:
    return "on the Unix socket" if source is None else source[0]
