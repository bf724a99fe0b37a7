"""Composition: the discovery service of one process, over what the runtime brings."""

from collections.abc import Callable

from extauth.xds.configuration import XdsSettings
from extauth.xds.credentials import live_credentials
from extauth.xds.grpc_server import DiscoveryServer
from extauth.xds.hub import Hub
from extauth.xds.source import FiltersFromPolicy, SnapshotSource, never
from policies.engine.record import Enforcement
from runtime.address import Address
from runtime.listener_tls import LiveTls
from runtime.process_status import FrontReport
from runtime.served_chain import ServedChain
from runtime.service import Serving


class XdsFront:
    """The listener of the fleet (`runtime.service.Front`)."""

    def __init__(
        self,
        settings: XdsSettings,
        serving: Serving,
        filters_from_policy: FiltersFromPolicy,
        until: Callable[[], float] = never,
    ) -> None:
        """`until`: see `SnapshotSource`."""
        self._settings = settings
        self._serving = serving
        self.hub = Hub(serving.judge(Enforcement.EXTAUTH), serving.metrics)
        self._source = SnapshotSource(serving.live, filters_from_policy, self.hub, until)
        self._server: DiscoveryServer | None = None
        self._served: ServedChain | None = None

    @property
    def address(self) -> Address | None:
        """Where it listens, with the port that was chosen for port 0; None before `start`."""
        return None if self._server is None else self._server.address

    def start(self) -> None:
        """Compile the policy, open the listener and serve. Raises ConfigurationError, with nothing left open."""
        tls = LiveTls(self._settings.tls)
        self._served = ServedChain(tls)
        credentials = live_credentials(tls, self._serving.live)
        self._server = DiscoveryServer(self.hub, self._settings.listen, credentials)
        # Whoever connects first gets the policy at once.
        self._source.start()
        self.hub.start()
        self._server.start()

    def stop(self, seconds: float) -> None:
        """Send every Envoy to another replica, and close."""
        self._source.stop()
        self.hub.stop()
        if self._server is not None:
            self._server.stop(min(seconds, 1.0))

    def report(self) -> FrontReport:
        """For the health detail."""
        served = () if self._served is None else self._served.expiring()
        policy = self._serving.live.current
        return FrontReport(self.hub.notices, 0 if policy is None else policy.cached_callers, served=served)
