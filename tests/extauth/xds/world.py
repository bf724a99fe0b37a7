"""A fleet in the small: a policy on disk, the discovery service in this process, and real Envoys that ask it.

The filters come from a stand-in for the compiler: it reads what to allow from the labels of rules. `clean` tells every
client the generation that it is of, so that a chain of two generations shows itself.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from extauth.xds.configuration import XdsSettings
from extauth.xds.front import XdsFront
from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.discovery import Discovery, FilterPlace, Form, bootstrap_with_discovery, json_of_place
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.proto_json import Json, any_of
from runtime.envoy.tls import DiscoveredTrust, DownstreamTls
from runtime.listener_tls import TlsFiles
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.policy_source import PolicySource
from runtime.service import Serving

SERVER_NAME = "xds.acme.example"
DOMAIN = "spiffe://acme.internal"
BILLING, WEB = f"{DOMAIN}/sa/billing", f"{DOMAIN}/sa/web"
HEAD = """\
version: 1
trust: {mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal%s}}
identities:
  envoys: {uri: "spiffe://acme.internal/envoy/*"}
  anyone-here: {uri: "spiffe://acme.internal/sa/*"}
routes:
  discovery: {grpc: ["envoy.service.discovery.v3.AggregatedDiscoveryService/*"]}
  all: {paths: [/a]}
rules:
  - {id: fleet, allow: envoys, to: discovery}
"""
#: A rule that lets a label decide what the stand-in does.
_RULE = '  - {id: "%s", allow: anyone-here, to: all, labels: {%s}}\n'
BROKEN = "broken"


def policy_text(*allowed: str, broken: str = "", trust: str = "") -> str:
    """A policy that allows these SPIFFE IDs; `broken`: the filter that it compiles to what no Envoy takes."""
    rules = "".join(_RULE % (f"allow-{number}", f'uri: "{uri}"') for number, uri in enumerate(allowed))
    return HEAD % trust + rules + (_RULE % (BROKEN, f"broken: {broken}") if broken else "")


def filters_of(policy: PolicySet) -> list[Json]:
    """The stand-in."""
    named = {rule.id: dict(rule.labels) for rule in policy.rules}
    allowed = {labels["uri"]: rule for rule, labels in named.items() if "uri" in labels}
    broken = {labels["broken"] for labels in named.values() if "broken" in labels}
    return [_clean(policy.generation, broken="clean" in broken), _rbac(allowed, broken="rbac" in broken)]


def _clean(generation: str, *, broken: bool) -> Json:
    header: Json = {"key": "x-generation", "value": "%BROKEN" if broken else generation}
    mutation: Json = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    return {
        "name": "peergate.clean",
        "typed_config": any_of(
            "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            mutations={"response_mutations": [mutation]},
        ),
    }


def _action(name: str, action: str) -> Json:
    config = any_of("envoy.config.rbac.v3.Action", name=name, action=action)
    return {"action": {"name": "action", "typed_config": config}}


def _rbac(allowed: dict[str, str], *, broken: bool) -> Json:
    uri = any_of("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput")
    matcher: Json = {"on_no_match": _action("none", "DENY")}
    if allowed:
        found: Json = {name: _action(rule, "ALLOW") for name, rule in allowed.items()}
        matcher["matcher_tree"] = {"input": {"name": "uri", "typed_config": uri}, "exact_match_map": {"map": found}}
    if broken:
        regex: Json = {"google_re2": {}, "regex": "("}
        predicate: Json = {"input": {"name": "uri", "typed_config": uri}, "value_match": {"safe_regex": regex}}
        found = {"predicate": {"single_predicate": predicate}, "on_match": _action("x", "ALLOW")}
        matcher = {"matcher_list": {"matchers": [found]}}
    return {
        "name": "peergate.rbac",
        "typed_config": any_of("envoy.extensions.filters.http.rbac.v3.RBAC", matcher=matcher),
    }


PLACES = (
    FilterPlace("peergate.clean", "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"),
    FilterPlace("peergate.rbac", "envoy.extensions.filters.http.rbac.v3.RBAC"),
)


STAND_IN = NativeFilters((), tuple(json_of_place(place) for place in PLACES), {}, {})


@dataclass
class World:
    """Files on disk: the mesh, the policy, the certificates of everybody."""

    folder: Path
    mesh: Authority = field(default_factory=lambda: Authority.root("mesh"))

    def __post_init__(self) -> None:
        self.policy = self.folder / "policy"
        self.policy.mkdir()
        (self.policy / "mesh.pem").write_bytes(self.mesh.pem)
        (self.folder / "mesh.pem").write_bytes(self.mesh.pem)
        self.issue("server", dns=[SERVER_NAME, "h.example"], server=True, client=False)
        self.billing = self.issue("billing", uri=[BILLING])
        self.web = self.issue("web", uri=[WEB])

    @property
    def tls(self) -> TlsFiles:
        return TlsFiles(str(self.folder / "server.pem"), str(self.folder / "server.key"))

    def issue(self, name: str, **leaf: Any) -> Credentials:
        """Issue a certificate into the folder."""
        issued = self.mesh.issue(**leaf)
        files = Credentials(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files.chain.write_bytes(issued.chain_pem)
        files.key.write_bytes(issued.key_pem)
        return files

    def write(self, text: str) -> None:
        """Replace the policy in one step."""
        new = self.policy / ".new"
        new.write_text(text)
        new.replace(self.policy / "policy.yaml")


class LocalXds:
    """The discovery service in this process, over the policy of a world. A context manager."""

    def __init__(
        self,
        world: World,
        port: int = 0,
        filters: Callable[[PolicySet], Sequence[Json]] = filters_of,
    ) -> None:
        metrics = Metrics()
        self.metrics = metrics
        self.live = LivePolicy(PolicySource(str(world.policy)), metrics)
        settings = XdsSettings(TcpAddress("127.0.0.1", port), world.tls)
        self.front = XdsFront(settings, Serving(self.live, metrics, None, False, False), filters)

    def __enter__(self) -> Self:
        self.live.start()
        try:
            self.front.start()
        except BaseException:
            self.live.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.front.stop(0)
        self.live.stop()

    @property
    def address(self) -> TcpAddress:
        address = self.front.address
        assert isinstance(address, TcpAddress)
        return address

    def fleet(self) -> Any:
        """`/fleet`, as it goes over the wire."""
        return json.loads(json.dumps(self.front.hub.json()))

    def nodes(self) -> dict[str, Any]:
        """Of `/fleet`: each Envoy by its name."""
        return {node["node"]: node for node in self.fleet()["nodes"]}

    @property
    def pushes(self) -> float:
        return float(self.metrics.xds_pushes._value.get())


@dataclass(frozen=True)
class Proxy:
    """One Envoy of the fleet."""

    world: World
    envoy: EnvoyProcess
    address: tuple[str, int]

    def get(self, who: Credentials, target: bytes = b"/a") -> Answer:
        """Call through it."""
        request = request_bytes("GET", target, [("Host", b"h.example"), ("Connection", b"close")])
        return call(self.address, client_context(self.world.folder / "mesh.pem", who), request, sni=None)


@contextmanager
def proxies(
    envoy_binary: Path,
    world: World,
    servers: Sequence[TcpAddress],
    count: int = 1,
    forms: Sequence[Form] = (Form.STATE_OF_THE_WORLD, Form.DELTA),
    trust: str = "trust",
    native: NativeFilters = STAND_IN,
    port: int = 0,
) -> Iterator[list[Proxy]]:
    """Envoys `envoy-0`, `envoy-1`, …, which use the forms of the protocol in turn, in front of one upstream."""
    with ExitStack() as stack:
        upstream = stack.enter_context(EchoUpstream())
        started = []
        for number in range(count):
            folder = world.folder / f"envoy-{number}"
            folder.mkdir()
            own = world.issue(f"envoy-{number}", uri=[f"{DOMAIN}/envoy/{number}"])
            settings = EnvoySettings(
                listen=TcpAddress("127.0.0.1", port),
                tls=DownstreamTls(world.folder / "server.pem", world.folder / "server.key", DiscoveredTrust(trust)),
                authorization=Authorization(UnixAddress(str(folder / "no-extauth.sock"))),
                upstream=TcpAddress("127.0.0.1", upstream.port),
                admin=UnixAddress(str(folder / "admin.sock")),
                native=native,
            )
            discovery = Discovery(
                node=f"envoy-{number}",
                cluster="test",
                servers=tuple(servers),
                certificate=own.chain,
                key=own.key,
                server_cas=world.folder / "mesh.pem",
                server_name=SERVER_NAME,
                form=forms[number % len(forms)],
            )
            bootstrap = bootstrap_with_discovery(settings, discovery)
            envoy = stack.enter_context(EnvoyProcess.run(envoy_binary, bootstrap, settings.admin, folder))
            address = envoy.address
            started.append(Proxy(world, envoy, (address.host, address.port)))
        yield started


def eventually(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
