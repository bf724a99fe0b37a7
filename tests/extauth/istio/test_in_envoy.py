"""An export in a real Envoy, as istiod configures it: requests of many callers and spellings, against the engine."""

import itertools
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest

from extauth.istio.plain_requests import plain_requests
from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from pki.authority import Authority
from policies.authoring.istio.exporting.exporting import Pods
from runtime.identity_headers import CLAIMS, XFCC
from tests.authoring.istio.evaluator import Call
from tests.authoring.istio.exports import DOMAIN, HEAD, WORKLOADS, Export, export, is_plain
from tests.authoring.istio.test_export_differential import HOSTILE_AUTHORITIES, HOSTILE_PATHS, PATHS
from tests.authoring.istio.test_export_golden import CASES, of_case
from tests.support.envoy_validation import complaints_of_envoy
from tests.support.front import Front
from tests.support.istiod import filters_from_resources, settings_in, sidecar, sidecar_bootstrap

LABELS = {"app": "orders"}
NS = f"{DOMAIN}/ns"
CALLERS = (f"{NS}/prod/sa/web", f"{NS}/prod/sa/api", f"{NS}/test/sa/web", None)
POLICY = f"""{HEAD}
zones: {{here: [127.0.0.0/8], elsewhere: [10.0.0.0/8]}}
identities:
  web: {{uri: "spiffe://{NS}/prod/sa/web"}}
  prod: {{uri: "spiffe://{NS}/prod/sa/*"}}
  webs: {{uri: "spiffe://{NS}/*/sa/web"}}
rules:
  - {{id: a, allow: prod, to: {{hosts: [orders.prod.svc], methods: [GET], paths: ["/a/**", /, "/x/*/a"]}}, from: here}}
  - {{id: b, allow: {{all: [webs, {{not: web}}]}}, to: {{hosts: [orders.prod.svc], paths: [/b, "/*/b", "/a/*/c/**"]}}}}
  - {{id: c, allow: webs, to: {{methods: [POST]}}, not_from: elsewhere}}
  - {{id: d, allow: unauthenticated, to: {{paths: [/b, "/a/b/*"]}}}}
  - {{id: e, allow: authenticated, to: {{hosts: ["*.prod.svc"], headers: {{x-release: canary}}}}}}
  - {{id: f, allow: prod, to: {{hosts: [orders.prod.svc], grpc: ["acme.Orders/*"]}}}}
  - {{id: n, deny: {{not: prod}}, to: {{paths: [/a/b/c]}}}}
  - {{id: o, deny: web, to: {{paths: ["/a/b/**"]}}, from: here}}
  - {{id: p, deny: anyone, to: {{hosts: [orders.prod.svc], methods: [DELETE]}}}}
"""


@dataclass(frozen=True)
class World:
    """A sidecar of the pods behind orders.prod.svc, and callers with certificates of its mesh."""

    made: Export
    root: Authority
    front: Front
    credentials: dict[str, Credentials]

    def ask(self, asked: Call) -> Answer:
        fields = [("Host", asked.host.encode()), ("Connection", b"close"), ("Content-Length", b"0")]
        fields += [(name, value.encode()) for name, value in asked.headers.items()]
        who = self.credentials[asked.principal] if asked.principal else None
        context = client_context(self.front.server_ca, who)
        context.verify_mode = ssl.CERT_NONE
        return call(self.front.address, context, request_bytes(asked.method, asked.path.encode(), fields), sni=None)


@pytest.fixture(scope="module")
def world(envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("w")
    root, made = Authority.root("mesh"), export(POLICY, WORKLOADS[:1])
    credentials = {}
    for number, name in enumerate(filter(None, CALLERS)):
        issued = root.issue(uri=[f"spiffe://{name}"])
        credentials[name] = Credentials(folder / f"{number}.pem", folder / f"{number}.key")
        credentials[name].chain.write_bytes(issued.chain_pem)
        credentials[name].key.write_bytes(issued.key_pem)
    with sidecar(envoy_binary, filters_from_resources(made.documents, LABELS), root.pem, folder) as front:
        yield World(made, root, front, credentials)


def _check(world: World, asked: Call) -> bool:
    """Whether Envoy let it pass: only what the policy allows, and of what is plain all that it allows."""
    answer = world.ask(asked)
    # Whoever asks by gRPC is denied by gRPC.
    passed = answer.status == 200 and "grpc-status" not in answer.headers
    if passed:
        received = answer.echoed().line.split(" ")[1]
        as_received = Call(asked.principal, asked.address, asked.method, asked.host, received, None, asked.headers)
        assert world.made.allows(as_received), (asked, received)
    if is_plain(asked) and asked.host.lower().startswith("orders.prod.svc"):
        assert passed is world.made.allows(asked), (asked, answer.status)
    return passed


def _calls(paths: list[str], host: str = "orders.prod.svc", **headers: str) -> Iterator[Call]:
    for who, method, path in itertools.product(CALLERS, ("GET", "POST", "DELETE"), paths):
        yield Call(who, "127.0.0.1", method, host, path, None, headers)


def test_envoy_decides_as_the_policy_does(world: World) -> None:
    verdicts = [_check(world, asked) for asked in _calls(PATHS)]
    assert 20 < sum(verdicts) < len(verdicts) - 20


def test_spellings_that_are_read_in_two_ways_get_nowhere_else(world: World) -> None:
    hostile = [path for path in HOSTILE_PATHS if path and " " not in path]
    assert any(_check(world, asked) for asked in _calls(hostile))


@pytest.mark.parametrize("path", ["/a/b#c", "/a/b/c#", "/b#/../a", "/a/b?x#y"])
def test_a_fragment_changes_nothing(world: World, path: str) -> None:
    for asked in _calls([path]):
        _check(world, asked)


BYPASSES = ("/a/b%2fc", "/a/b%2f..%2fx", "/a/;/b", "/a//b")


@pytest.mark.parametrize("path", BYPASSES)
def test_what_authorization_policies_alone_let_by_is_refused(world: World, path: str) -> None:
    asked = Call(CALLERS[0], "127.0.0.1", "GET", "orders.prod.svc", path)
    assert world.ask(asked).status == 403


def test_without_the_filter_authorization_policies_let_it_by(world: World, envoy_binary: Path, tmp_path: Path) -> None:
    filters = filters_from_resources(world.made.documents, LABELS)[2:]
    with sidecar(envoy_binary, filters, world.root.pem, tmp_path) as front:
        alone = replace(world, front=front)
        asked = [Call(CALLERS[0], "127.0.0.1", "GET", "orders.prod.svc", path) for path in BYPASSES]
        assert [alone.ask(each).status for each in asked] == [200] * len(asked)


def test_law_7_what_a_client_says_of_its_identity_does_not_arrive(world: World) -> None:
    claims = {name: "evil" for name in (*CLAIMS, *(name.replace("-", "_") for name in CLAIMS)) if name != XFCC}
    answer = world.ask(Call(CALLERS[0], "127.0.0.1", "GET", "orders.prod.svc", "/", None, {**claims, "x-kept": "1"}))
    received = answer.echoed()
    assert received.values("x-kept") == ["1"]
    assert claims.keys().isdisjoint(name.lower() for name, _ in received.headers)


@pytest.mark.parametrize("host", ["orders.prod.svc:8080", "ORDERS.prod.svc", "web.prod.svc", "x.example"])
def test_only_the_named_host_counts_with_any_port(world: World, host: str) -> None:
    passed = [_check(world, asked) for asked in _calls(["/", "/b"], host)]
    assert any(passed) is host.lower().startswith("orders")


@pytest.mark.parametrize("host", [host for host in HOSTILE_AUTHORITIES if host])
def test_a_host_with_more_than_a_port_gets_nowhere(world: World, host: str) -> None:
    assert not any(world.ask(asked).status == 200 for asked in _calls(["/", "/b"], host))


@pytest.mark.parametrize("value", ["canary", "canary2", "Canary", "canary,canary"])
def test_a_header_is_compared_as_a_whole(world: World, value: str) -> None:
    assert any(_check(world, asked) for asked in _calls(["/q"], **{"x-release": value})) is True


@pytest.mark.parametrize(
    ("value", "let_in"),
    [
        *(("application/grpc", True), ("application/grpc+proto", True), ("application/grpc;x", True)),
        *(("application/grpcx", False), ("text/html", False), ("application/gRPC", False)),
        ("application/grpc+proto,text/html", False),
    ],
)
def test_grpc_is_told_by_its_content_type(world: World, value: str, let_in: bool) -> None:
    asked = Call(CALLERS[1], "127.0.0.1", "POST", "orders.prod.svc", "/acme.Orders/Get", None, {"content-type": value})
    assert _check(world, asked) is let_in


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("refused")])
def test_every_shape_is_taken_by_envoy_itself(name: str, tmp_path: Path) -> None:
    filters = filters_from_resources(of_case(name).documents, LABELS)
    settings = settings_in(tmp_path, Authority.root("mesh").pem, 1)
    assert complaints_of_envoy(sidecar_bootstrap(settings, filters), tmp_path) == ""


def test_the_filters_are_messages_that_envoy_data_plane_knows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in tests.support.envoy_wire
        import_module("envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3")
        import_module("envoy_data_plane.envoy.extensions.filters.http.rbac.v3")
        from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

    spec = plain_requests("x", Pods("prod", {}, ("h.example",))).resource["spec"]
    assert isinstance(spec, dict)
    claims, plain = (HttpFilter.from_dict(patch["patch"]["value"]).to_dict() for patch in spec["configPatches"])
    assert plain["typedConfig"]["rules"]["policies"]["plain"]
    assert claims["typedConfig"]["mutations"]["requestMutations"]
