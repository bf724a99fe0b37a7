"""Composition: the ext_authz listeners of one process, over what the runtime brings."""

from extauth.configuration import ExtauthSettings
from extauth.grpc_check import GrpcCheck
from extauth.grpc_server import GrpcServer
from extauth.http_app import HttpCheck
from extauth.http_request import ALWAYS_SEEN, HttpReader
from extauth.http_server import HttpServer
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.address import Address
from runtime.check import Checks
from runtime.hidden_facts import ShownFacts, hidden_fact_notices, not_listed
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls
from runtime.process_status import FrontReport
from runtime.proxy_verified import proxy_verified_notices, say_what_does_not_hold
from runtime.served_chain import ServedChain
from runtime.service import Serving


class ExtauthFront:
    """The gRPC listener, and the HTTP listener if there is one (`runtime.service.Front`)."""

    def __init__(self, settings: ExtauthSettings, serving: Serving) -> None:
        self._settings = settings
        self._serving = serving
        self._reader = PresentedReader(verified_for=settings.proxy_verified)
        self._checks = Checks(serving.judge(Enforcement.EXTAUTH), self._reader)
        self._grpc: GrpcServer | None = None
        self._http: HttpServer | None = None
        self._noted: tuple[PolicySet, tuple[str, ...]] | None = None
        self._served: ServedChain | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, gRPC first, with the ports that were chosen for port 0; empty before `start`."""
        servers = (self._grpc, self._http)
        return tuple(server.address for server in servers if server is not None)

    def start(self) -> None:
        """Open the listeners and serve. Raises ConfigurationError, with nothing left open."""
        if self._settings.proxy_verified is not None:
            say_what_does_not_hold(self._settings.proxy_verified)
        try:
            self._grpc = self._grpc_server()
            if self._settings.http is not None:
                self._http = self._http_server(self._settings.http)
                self._http.start()
            self._grpc.start()
        except BaseException:
            self.stop(0)
            raise

    def stop(self, seconds: float) -> None:
        """Take nothing more, finish what is in flight within `seconds`, close."""
        if self._grpc is not None:
            self._grpc.stop(seconds)
        if self._http is not None:
            self._http.stop(seconds)

    def report(self) -> FrontReport:
        """For the health detail."""
        served = () if self._served is None else self._served.expiring()
        policy = self._serving.live.current
        if policy is None:
            return FrontReport(served=served)
        return FrontReport(self._notices(policy), policy.cached_callers, served=served)

    def _grpc_server(self) -> GrpcServer:
        settings, live = self._settings, self._serving.live
        tls = None if settings.tls is None else LiveTls(settings.tls)
        # The other listener has the same files.
        self._served = None if tls is None else ServedChain(tls)
        return GrpcServer(
            GrpcCheck(self._checks, self._reader, settings.balancers),
            lambda: live.current is not None,
            settings.listen,
            tls=tls,
            share_port=self._serving.share_port,
        )

    def _http_server(self, address: Address) -> HttpServer:
        settings = self._settings
        reader = HttpReader(self._reader, settings.hops, settings.seen_headers, settings.balancers)
        return HttpServer(
            HttpCheck(self._checks, reader),
            listener_from_address(address, share_port=self._serving.share_port),
            tls=None if settings.tls is None else LiveTls(settings.tls),
        )

    def _notices(self, policy: PolicySet) -> tuple[str, ...]:
        """Worked out once for each generation: the health detail is asked for every second."""
        settings = self._settings
        if self._noted is None or self._noted[0] is not policy:
            over_http: tuple[str, ...] = ()
            if settings.http is not None:
                over_http = hidden_fact_notices(policy, shown_over_http(settings.seen_headers))
            self._noted = policy, proxy_verified_notices(policy, settings.proxy_verified) + over_http
        return self._noted[1]


def shown_over_http(seen_headers: frozenset[str]) -> ShownFacts:
    """What Envoy shows over HTTP, beside what it always does."""
    seen = ALWAYS_SEEN | seen_headers
    return ShownFacts(
        "over HTTP", seen, sni=False, no_address="" if "x-forwarded-for" in seen else not_listed("x-forwarded-for")
    )
