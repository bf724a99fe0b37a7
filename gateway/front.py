"""Composition: the gateway's listener of one process, over what the runtime brings."""

from gateway.certificate_header import FORMATS
from gateway.configuration import GatewaySettings
from gateway.listener import AppListener
from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.middleware.forwarded import ForwardedFacts, ForwardedPeers
from gateway.proxy.app import ReverseProxy
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from runtime.address import Address
from runtime.hidden_facts import ShownFacts, hidden_fact_notices
from runtime.process_status import FrontReport
from runtime.proxy_verified import proxy_verified_notices, say_what_does_not_hold
from runtime.service import Serving


class GatewayFront:
    """The listener with the reverse proxy behind it (`runtime.service.Front`)."""

    def __init__(self, settings: GatewaySettings, serving: Serving) -> None:
        self._settings = settings
        self._serving = serving
        self._listener = AppListener(settings.listener, serving)

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None before `start`."""
        return self._listener.address

    def start(self) -> None:
        """Open the listener and serve. Raises ConfigurationError, with nothing left open."""
        settings = self._settings
        if settings.proxy_verified is not None:
            say_what_does_not_hold(settings.proxy_verified)
        authorizer = Authorizer(self._serving.judge(Enforcement.GATEWAY), forwarded=_forwarded_facts(settings))
        proxy = ReverseProxy(settings.upstreams, settings.upstream_tls, told=settings.upstream_told)
        self._listener.start(AuthorizationMiddleware(proxy, authorizer))

    def stop(self, seconds: float) -> None:
        """Take nothing more, finish what is in flight within `seconds`, close."""
        self._listener.stop(seconds)

    def report(self) -> FrontReport:
        """For the health detail."""
        return self._listener.report(self._notices)

    def _notices(self, policy: PolicySet) -> tuple[str, ...]:
        if self._settings.header is None:
            return ()
        no_address = "" if self._settings.appenders else "the client's address is not known (--balancer)"
        hidden = hidden_fact_notices(policy, ShownFacts("behind a proxy", sni=False, no_address=no_address))
        return proxy_verified_notices(policy, self._settings.proxy_verified) + hidden


def _forwarded_facts(settings: GatewaySettings) -> ForwardedFacts | None:
    """What reads the proxies in front, if there are any."""
    hops = settings.listener.hops
    if settings.header is None or hops is None:
        return None
    return ForwardedFacts(ForwardedPeers(FORMATS[settings.header], hops, settings.proxy_verified), settings.appenders)
