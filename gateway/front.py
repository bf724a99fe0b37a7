"""Composition: the gateway's listener of one process, over what the runtime brings."""

from gateway.configuration import GatewaySettings
from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.proxy.app import ReverseProxy
from gateway.server.attempt import Source
from gateway.server.live_contexts import LiveContexts
from gateway.server.server import GatewayServer
from policies.engine.record import Enforcement
from runtime.address import Address
from runtime.hops import TrustedHops, address_from_text
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls
from runtime.process_status import FrontReport
from runtime.served_chain import ServedChain
from runtime.service import Serving


class GatewayFront:
    """The HTTPS listener (`runtime.service.Front`)."""

    def __init__(self, settings: GatewaySettings, serving: Serving) -> None:
        self._settings = settings
        self._serving = serving
        self._contexts: LiveContexts | None = None
        self._served: ServedChain | None = None
        self._server: GatewayServer | None = None
        serving.live.on_change(self._renew)

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None before `start`."""
        return None if self._server is None else self._server.address

    def start(self) -> None:
        """Open the listener and serve. Raises ConfigurationError, with nothing left open."""
        settings = self._settings
        tls = LiveTls(settings.tls)
        contexts = LiveContexts(tls, self._serving.live, minimum=settings.minimum)
        self._served, self._contexts = ServedChain(tls), contexts
        authorizer = Authorizer(self._serving.judge(Enforcement.GATEWAY))
        proxy = ReverseProxy(settings.upstreams, settings.upstream_tls, xfcc=settings.upstream_xfcc)
        self._server = GatewayServer(
            AuthorizationMiddleware(proxy, authorizer),
            listener_from_address(settings.listen, share_port=self._serving.share_port),
            lambda: contexts.current,
            settings.bounds,
            is_balancer=lambda source: is_balancer(settings.balancers, source),
            count=self._count,
        )
        try:
            self._server.start()
        except BaseException:
            self.stop(0)
            raise
        contexts.start()

    def stop(self, seconds: float) -> None:
        """Take nothing more, finish what is in flight within `seconds`, close."""
        if self._contexts is not None:
            self._contexts.stop()
        if self._server is not None:
            self._server.stop(seconds)

    def report(self) -> FrontReport:
        """For the health detail."""
        served = () if self._served is None else self._served.expiring()
        policy = self._serving.live.current
        return FrontReport(
            cached_certificates=0 if policy is None else policy.cached_callers,
            served=served,
            is_prepared=self._contexts is not None and self._contexts.is_prepared,
        )

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
