"""The decision corpus through the gateway: real TLS, real certificates, raw bytes, and an upstream that records."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import time

import pytest

from gateway.middleware import AuthorizationMiddleware, Authorizer
from gateway.proxy.app import ReverseProxy
from gateway.proxy.destination import Destination
from gateway.server.live_contexts import LiveContexts
from gateway.server.server import GatewayServer
from peergate.demo.client import Answer, call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.reason import Effect
from runtime.address import TcpAddress
from runtime.judge import Judge
from runtime.listener import listener_from_address
from runtime.listener_tls import LiveTls, TlsFiles
from runtime.metrics import Metrics
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, cases
from tests.decisions.enforced import claims, status_of
from tests.decisions.world import World
from tests.gateway.gateway import files_in
from tests.gateway.server.world import ANYWHERE, mesh

#: What the parser answers itself, before anybody is asked.
_REFUSED_BY_THE_PARSER = 400
_BY_THE_HANDSHAKE = "certificate_"


@dataclass
class Gateway:
    """The gateway of this process. A case sets the policy."""

    ca: Path
    upstream: EchoUpstream
    current: PolicySet | None = None
    contexts: LiveContexts = field(init=False)
    server: GatewayServer = field(init=False)

    def ask(self, case: Case, world: World, policy: PolicySet) -> Answer | None:
        """The answer; None if the handshake failed."""
        self.current = policy
        self.contexts.renew()
        self.upstream.received.clear()
        credentials = world.credentials[case.certificate] if case.certificate else None
        headers = [("Host", host) for host in case.hosts] + list(case.headers) + [("Connection", "close")]
        encoded = [(name, value.encode("latin-1")) for name, value in headers]
        request = request_bytes(case.method, case.target.encode("latin-1"), encoded)
        assert isinstance(self.server.address, TcpAddress)
        place = self.server.address.host, self.server.address.port
        try:
            return call(place, client_context(self.ca, credentials), request, sni=case.sni, source=case.source_ip)
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            return None


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    files_in(folder)
    (folder / "ca.pem").write_bytes(mesh().pem)
    with EchoUpstream() as upstream:
        made = Gateway(folder / "ca.pem", upstream)
        tls = TlsFiles(str(folder / "served.pem"), str(folder / "served.key"), flag_prefix="--")
        made.contexts = LiveContexts(LiveTls(tls), made)
        judge = Judge(made, Metrics(), None, Enforcement.GATEWAY)
        app = AuthorizationMiddleware(
            ReverseProxy([Destination.parse(f"http://127.0.0.1:{upstream.port}")]), Authorizer(judge, time)
        )
        made.server = GatewayServer(app, listener_from_address(ANYWHERE), lambda: made.contexts.current)
        made.server.start()
        try:
            yield made
        finally:
            made.server.stop(1)


def _forwarded(target: str) -> str:
    """What an upstream is sent: an absolute form in its origin form (RFC 9112 §3.2.1), everything else as it is."""
    return target if target.startswith("/") else "/" + target.split("/", 3)[3]


CASES = [case for case in cases("envoy") if case.not_through.keys().isdisjoint({"middleware", "gateway"})]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_gateway_enforces(case: Case, setting: Settings, gateway: Gateway) -> None:
    world, policy = setting(case.file)
    answer = gateway.ask(case, world, policy)
    received = gateway.upstream.received
    if answer is None:
        reason = case.expect.reason.value
        assert reason.startswith(_BY_THE_HANDSHAKE) or case.certificate is None or reason == "svid_invalid"
        assert (case.expect.effect, received) == (Effect.DENY, [])
    elif answer.status == _REFUSED_BY_THE_PARSER:
        assert (case.expect.effect, received) == (Effect.DENY, [])
    elif case.expect.effect is Effect.DENY:
        assert (answer.reason, answer.status) == (case.expect.reason, status_of(case.expect.reason))
        assert received == []
    else:
        assert answer.status == 200, answer
        (request,) = received
        assert (request.method, request.target) == (case.method, _forwarded(case.target))
        for name, value in case.upstream.items():
            # Client-Cert is what the gateway itself says of the caller.
            assert name == "client-cert" or request.values(name) == ([value] if value else [])
        assert claims(case).isdisjoint(value for _, value in request.headers)


def test_few_cases_end_at_the_parser(setting: Settings, gateway: Gateway) -> None:
    answers = [gateway.ask(case, *setting(case.file)) for case in CASES]
    assert len([answer for answer in answers if answer is not None and answer.status == 400]) <= 20
