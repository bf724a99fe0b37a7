"""Facts about a client whose TLS ended at a proxy in front of us: what a trusted hop says, and from nobody else.

Law 7: a listener that takes certificates from headers serves trusted hops only. What anybody else sends is refused
whole: a caller whose header was merely ignored would count as one without a certificate.
"""

from typing import cast

from gateway.certificate_header import HeaderFormat
from gateway.hops import FrontHops
from gateway.middleware.presented import Scope, connection_facts, extensions_of
from gateway.middleware.told import ClientFacts
from gateway.server.attempt import Source
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED
from policies.peer.cache import BoundedCache
from policies.peer.limits import MAX_CACHED_CHARS, MAX_CACHED_PEERS
from policies.peer.presented import Presented
from runtime.errors import UntrustedHopError
from runtime.hops import NO_HOPS, TrustedHops
from runtime.raw_headers import Headers

_FORWARDED_FOR = "x-forwarded-for"


class ForwardedPeers:
    """Reads the certificate that a trusted hop forwards, in the one format that is configured. Thread-safe.

    `verified_for`: the trust entry for which the hops have verified their clients; None: nobody's word is taken.
    """

    def __init__(self, header: HeaderFormat, hops: FrontHops, verified_for: str | None = None) -> None:
        self._format = header
        self._hops = hops
        self._verified_for = verified_for
        self._read: BoundedCache[tuple[tuple[str, ...], tuple[str, ...]], Presented] = BoundedCache(
            MAX_CACHED_PEERS, MAX_CACHED_CHARS
        )

    @property
    def names(self) -> frozenset[str]:
        """The headers that are read."""
        return self._format.names

    def presented(
        self, scope: Scope, hop: Presented, found: Headers, policy: PolicySet | None, time: float
    ) -> Presented:
        """What the client presented. `hop`: what the connection itself did. Raises UntrustedHopError."""
        self._hops.require(_source(scope), hop, policy, time)
        key = found.get(self._format.certificate, ()), found.get(self._format.chain, ())
        read = self._read.get(key)
        if read is None:
            read = self._format.presented(*key, self._verified_for)
            self._read.put(key, read, sum(map(len, key[0])) + sum(map(len, key[1])))
        return read


class ForwardedFacts:
    """What a reverse proxy that forwards the client's own request says of the client.

    The server name is that of the proxy's own connection, so the client's is not known. `balancers`: the proxies that
    append the address of their peer to X-Forwarded-For; without any, nobody's address is known.
    """

    def __init__(self, peers: ForwardedPeers, balancers: TrustedHops = NO_HOPS) -> None:
        self._peers = peers
        self._balancers = balancers
        self.names = peers.names | {_FORWARDED_FOR}

    def facts(self, scope: Scope, hop: Presented, found: Headers, policy: PolicySet | None, time: float) -> ClientFacts:
        """Facts of the client. Raises UntrustedHopError."""
        peer = self._peers.presented(scope, hop, found, policy, time)
        forwarded_for = found.get(_FORWARDED_FOR, ())
        known = bool(self._balancers) and bool(forwarded_for)
        source_ip = self._balancers.client_address(",".join(forwarded_for)) if known else None
        return ClientFacts(peer, source_ip, UNREPORTED)


def _source(scope: Scope) -> Source:
    """Our peer, as `gateway.connection` has it. Raises UntrustedHopError if it is not our server that tells."""
    try:
        return cast("Source", connection_facts(extensions_of(scope))["source"])
    except KeyError:
        raise UntrustedHopError("this server does not say who connects, so nobody is a trusted hop") from None
