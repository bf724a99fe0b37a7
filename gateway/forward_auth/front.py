"""Composition: the forward-auth listener of one process, over what the runtime brings."""

from gateway.forward_auth.app import ForwardAuth
from gateway.forward_auth.configuration import ForwardAuthSettings
from gateway.forward_auth.proxies import ASKING
from gateway.forward_auth.request import QuestionReader
from gateway.listener import AppListener
from gateway.middleware.forwarded import ForwardedPeers
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.address import Address
from runtime.check import Checks
from runtime.hidden_facts import ShownFacts, hidden_fact_notices
from runtime.process_status import FrontReport
from runtime.proxy_verified import proxy_verified_notices, say_what_does_not_hold
from runtime.service import Serving


class ForwardAuthFront:
    """The listener that proxies ask (`runtime.service.Front`)."""

    def __init__(self, settings: ForwardAuthSettings, serving: Serving) -> None:
        self._settings = settings
        self._serving = serving
        self._listener = AppListener(settings.listener, serving)

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None before `start`."""
        return self._listener.address

    def start(self) -> None:
        """Open the listener and serve. Raises ConfigurationError, with nothing left open."""
        settings, reader = self._settings, PresentedReader()
        asking = ASKING[settings.proxy]
        checks = Checks(self._serving.judge(Enforcement.FORWARD_AUTH), reader)
        if settings.proxy_verified is not None:
            say_what_does_not_hold(settings.proxy_verified)
        peers = ForwardedPeers(asking.certificate, settings.hops, settings.proxy_verified)
        self._listener.start(ForwardAuth(checks, QuestionReader(asking, peers, reader, settings.seen_headers), asking))

    def stop(self, seconds: float) -> None:
        """Take nothing more, finish what is in flight within `seconds`, close."""
        self._listener.stop(seconds)

    def report(self) -> FrontReport:
        """For the health detail."""
        return self._listener.report(self._notices)

    def _notices(self, policy: PolicySet) -> tuple[str, ...]:
        settings = self._settings
        shown = ShownFacts(f"from {settings.proxy}", settings.seen_headers, sni=bool(ASKING[settings.proxy].sni))
        return proxy_verified_notices(policy, settings.proxy_verified) + hidden_fact_notices(policy, shown)
