"""One listener of one process: its TLS, if it speaks any, and the server of an application on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import TLSVersion
from typing import Any

from gateway.hops import FrontHops
from gateway.server.attempt import Source
from gateway.server.bounds import Bounds
from gateway.server.live_contexts import LiveContexts, is_certificate_required
from gateway.server.server import GatewayServer
from policies.engine.policy_set import PolicySet
from runtime.address import Address
from runtime.hops import NO_HOPS, TrustedHops, address_from_text
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.process_status import FrontReport
from runtime.served_chain import ServedChain
from runtime.service import Serving


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """What the listener of one process is told.

    `tls`: None speaks plain HTTP. `hops`: set if only proxies connect, which say who the client is: then it is they who
    are asked for a certificate in the handshake. `balancers`: begin their connections with a PROXY header.
    """

    listen: Address
    tls: TlsFiles | None
    minimum: TLSVersion = TLSVersion.TLSv1_2
    balancers: TrustedHops = NO_HOPS
    bounds: Bounds = field(default_factory=Bounds)
    hops: FrontHops | None = None


class AppListener:
    """Serves one application. Everything is made in `start`."""

    def __init__(self, settings: ListenerSettings, serving: Serving) -> None:
        self._settings = settings
        self._serving = serving
        self._contexts: LiveContexts | None = None
        self._served: ServedChain | None = None
        self._server: GatewayServer | None = None
        self._noted: tuple[PolicySet, tuple[str, ...]] | None = None
        serving.live.on_change(self._renew)

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None before `start`."""
        return None if self._server is None else self._server.address

    def start(self, app: Any) -> None:
        """Open the listener and serve `app`. Raises ConfigurationError, with nothing left open."""
        settings = self._settings
        contexts = None if settings.tls is None else self._made_contexts(settings.tls)
        self._server = GatewayServer(
            app,
            listener_from_address(settings.listen, share_port=self._serving.share_port),
            lambda: None if contexts is None else contexts.current,
            settings.bounds,
            is_balancer=lambda source: is_balancer(settings.balancers, source),
            count=self._count if contexts is not None else lambda _: None,
        )
        try:
            self._server.start()
        except BaseException:
            self.stop(0)
            raise
        if contexts is not None:
            contexts.start()

    def stop(self, seconds: float) -> None:
        """Take nothing more, finish what is in flight within `seconds`, close."""
        if self._contexts is not None:
            self._contexts.stop()
        if self._server is not None:
            self._server.stop(seconds)

    def report(self, notices: Callable[[PolicySet], tuple[str, ...]]) -> FrontReport:
        """For the health detail. `notices`: what the application has to say of a policy."""
        policy = self._serving.live.current
        return FrontReport(
            () if policy is None else self._notices(policy, notices),
            0 if policy is None else policy.cached_callers,
            served=() if self._served is None else self._served.expiring(),
            is_prepared=self._settings.tls is None or (self._contexts is not None and self._contexts.is_prepared),
        )

    def _notices(self, policy: PolicySet, notices: Callable[[PolicySet], tuple[str, ...]]) -> tuple[str, ...]:
        """Worked out once for each generation: the health detail is asked for every second."""
        if self._noted is None or self._noted[0] is not policy:
            self._noted = policy, notices(policy)
        return self._noted[1]

    def _made_contexts(self, files: TlsFiles) -> LiveContexts:
        tls, hops = LiveTls(files), self._settings.hops
        required: Callable[..., bool] = is_certificate_required if hops is None else lambda _: hops.are_all_named
        self._contexts = LiveContexts(tls, self._serving.live, minimum=self._settings.minimum, required=required)
        self._served = ServedChain(tls)
        return self._contexts

    def _count(self, done: bool) -> None:
        metrics = self._serving.metrics
        (metrics.handshake_done if done else metrics.handshake_failed).inc()

    def _renew(self) -> None:
        if self._contexts is not None:
            self._contexts.renew()


def is_balancer(balancers: TrustedHops, source: Source) -> bool:
    """Whether a peer begins its connections with a PROXY header."""
    if not balancers:
        return False
    if source is None:
        return balancers.unix
    address = address_from_text(source[0])
    return address is not None and balancers.has(address)
