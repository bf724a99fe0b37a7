"""One Envoy that has a filter chain for each of many policies, as `peergate up` has one, and the peergate it asks."""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extauth.grpc_check import GrpcCheck, alone
from extauth.grpc_server import GrpcServer
from extauth.native.compile import compiled_from_policy
from extauth.native.filters import CALLED, RBAC, http_filters, manager_options, network_filters, route_options
from extauth.native.shadow import shadow_from_policy
from extauth.wire.messages import CheckRequest
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.address import TcpAddress, UnixAddress
from runtime.check import Checks
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls, InlineTrust
from runtime.hops import NO_HOPS
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics

#: The port beside the default one by which clients know the listener.
PORT = 8443
#: A header that only the answer of what was let through has.
ARRIVED = "x-arrived"
_ASKING_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where to call: the server name `name(number)` leads to the policy of that number."""

    address: tuple[str, int]
    access_log: Path

    @staticmethod
    def name(number: int) -> str:
        """The server name of a policy."""
        return f"p{number}.fuzz.example"


class _Asked:
    """Peergate for every policy at once: the server name tells which (`extauth.grpc_check.GrpcCheck`)."""

    def __init__(self, policies: Mapping[str, PolicySet]) -> None:
        reader, metrics = PresentedReader(), Metrics()
        self._checks = {
            name: GrpcCheck(
                Checks(Judge(FixedPolicy(policy), metrics, None, Enforcement.EXTAUTH), reader), reader, NO_HOPS
            )
            for name, policy in policies.items()
        }

    def answer(self, message: bytes, aside: Any = alone) -> bytes:
        name = CheckRequest.FromString(message).attributes.tls_session.sni
        return self._checks[name].answer(message, aside)


@contextmanager
def fleet(binary: Path, policies: Sequence[PolicySet], folder: Path) -> Iterator[Fleet]:
    """Run it, with its files in `folder`. Raises EnvoyFailedError, for a configuration that Envoy does not take too."""
    named = {Fleet.name(number): policy for number, policy in enumerate(policies)}
    authority = Authority.root("front")
    server = authority.issue(dns=["*.fuzz.example"], server=True, client=False)
    (folder / "s.pem").write_bytes(server.pem)
    (folder / "s.key").write_bytes(server.key_pem)
    asked: Any = _Asked(named)
    with ExitStack() as running:
        service = GrpcServer(asked, lambda: True, UnixAddress(str(folder / "ask.sock")))
        running.callback(service.stop, 0)
        service.start()
        chains, bootstrap = [], {}
        for name, policy in named.items():
            settings = _settings(policy, folder)
            bootstrap = bootstrap_from_settings(settings)
            chains.append(_chain(bootstrap, name))
        listener: Any = bootstrap["static_resources"]
        listener["listeners"][0]["filter_chains"] = chains
        admin = UnixAddress(str(folder / "admin.sock"))
        envoy = running.enter_context(EnvoyProcess.run(binary, bootstrap, admin, folder))
        yield Fleet((envoy.address.host, envoy.address.port), folder / "access.log")


def _settings(policy: PolicySet, folder: Path) -> EnvoySettings:
    now = time.time()
    authorization = Authorization(UnixAddress(str(folder / "ask.sock")), timeout=_ASKING_SECONDS)
    compiled = compiled_from_policy(policy, now, (PORT,))
    native = NativeFilters(
        tuple(network_filters(compiled.admission)),
        tuple(http_filters(compiled, authorization, shadow_from_policy(policy, now, (PORT,)))),
        manager_options(compiled.admission),
        route_options(compiled.admission),
    )
    vouching = "".join(map(ssl.DER_cert_to_PEM_cert, policy.trust.client_ca_ders()))
    return EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=DownstreamTls(folder / "s.pem", folder / "s.key", InlineTrust(vouching), require_client_certificate=False),
        authorization=authorization,
        upstream=TcpAddress("127.0.0.1", 1),
        admin=UnixAddress(str(folder / "admin.sock")),
        access_log=folder / "access.log",
        native=native,
    )


def _chain(bootstrap: Any, name: str) -> Any:
    """The filter chain for one server name. What would reach the upstream is answered at once."""
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    manager = chain["filters"][-1]["typed_config"]
    manager["route_config"]["virtual_hosts"][0]["routes"] = [
        {
            "match": {"prefix": "/"},
            "direct_response": {"status": 200},
            "response_headers_to_add": [{"header": {"key": ARRIVED, "value": "1"}}],
        }
    ]
    fields = manager["access_log"][0]["typed_config"]["log_format"]["json_format"]
    fields |= {"number": "%REQUEST_HEADER(X-NUMBER)%", "names": f"%DYNAMIC_METADATA({RBAC}:{CALLED})%"}
    return {**chain, "filter_chain_match": {"server_names": [name]}}
