"""What the adapter relies on in Envoy, shown by a real one that is configured carelessly, as a user's may be.

The corpus goes through the Envoy that peergate configures; this one keeps headers with underscores and shows text
instead of bytes, so everything that protects here is the service's own doing.
"""

import copy
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from peergate.demo.client import Answer, Credentials, call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream, Received
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.extauth.world import POLICY, billing, mesh, policy_of, tenant
from tests.support.front import Front
from tests.support.local_extauth import LocalExtauth

CLAIMS = {
    "x-peergate-identity": b"admin",
    "x_peergate_identity": b"admin",
    "X-Peergate-Anything": b"admin",
    "x-forwarded-client-cert": b"Hash=" + b"0" * 64 + b";URI=spiffe://acme.internal/admin",
    "x_forwarded_client_cert": b"admin",
    "client-cert": b":YWRtaW4=:",
    "ssl_client_verify": b"SUCCESS",
    "ssl-client-s-dn": b"CN=admin",
    "x-forwarded-tls-client-cert-info": b"admin",
    "X-Original-URL": b"/admin",
    "x_rewrite_url": b"/admin",
    "x-http-method-override": b"DELETE",
    "x-tenant": b"admin",
    "x_tenant": b"admin",
}


@contextmanager
def careless_envoy(envoy_binary: Path, authorization: Authorization, folder: Path, **ext_authz: Any) -> Iterator[Front]:
    """An Envoy without the care that peergate's own configuration takes; `ext_authz` are settings of that filter."""
    server = mesh().issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": mesh().pem}.items():
        (folder / name).write_bytes(content)
    with EchoUpstream() as upstream:
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(folder / "s.pem", folder / "s.key", folder / "ca.pem", require_client_certificate=False),
            authorization=authorization,
            upstream=TcpAddress("127.0.0.1", upstream.port),
            admin=UnixAddress(str(folder / "admin.sock")),
            access_log=folder / "access.log",
        )
        # Parts of it are constants of their module.
        bootstrap: Any = copy.deepcopy(bootstrap_from_settings(settings))
        (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
        tls = chain["transport_socket"]["typed_config"]["common_tls_context"]
        tls["alpn_protocols"] = ["h2", "http/1.1"]
        manager = chain["filters"][0]["typed_config"]
        manager["common_http_protocol_options"]["headers_with_underscores_action"] = "ALLOW"
        manager.pop("early_header_mutation_extensions", None)
        manager["http_filters"][0]["typed_config"] |= {"encode_raw_headers": False} | ext_authz
        manager["access_log"] = [_metadata_log(folder / "access.log")]
        with EnvoyProcess.run(envoy_binary, bootstrap, settings.admin, folder) as envoy:
            yield Front((envoy.address.host, envoy.address.port), folder / "ca.pem", upstream, envoy)


def _metadata_log(path: Path) -> dict[str, Any]:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": {"peergate": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz)%"}},
        },
    }


@pytest.fixture(scope="module")
def extauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExtauth]:
    with LocalExtauth(tmp_path_factory.mktemp("extauth")) as running:
        yield running


@pytest.fixture(autouse=True)
def _policy(extauth: LocalExtauth) -> None:
    extauth.current, extauth.now = policy_of(POLICY), None


@pytest.fixture(scope="module")
def grpc_front(extauth: LocalExtauth, envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("grpc")
    with careless_envoy(envoy_binary, Authorization(extauth.grpc, timeout=5), folder) as front:
        yield front


@pytest.fixture(scope="module")
def http_front(extauth: LocalExtauth, envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    authorization = Authorization(extauth.http, Protocol.HTTP, timeout=5, set_headers=("x-tenant",))
    with careless_envoy(envoy_binary, authorization, tmp_path_factory.mktemp("http")) as front:
        yield front


@pytest.fixture
def billing_files(tmp_path: Path) -> Credentials:
    return credentials(tmp_path, "billing")


def credentials(folder: Path, who: str) -> Credentials:
    issued = billing() if who == "billing" else tenant(who)
    files = Credentials(folder / f"{who}.pem", folder / f"{who}.key")
    files.chain.write_bytes(issued.chain_pem)
    files.key.write_bytes(issued.key_pem)
    return files


def asked(
    front: Front,
    caller: Credentials | None,
    target: bytes = b"/v1/a",
    headers: dict[str, bytes] | None = None,
    method: str = "GET",
) -> Answer:
    front.upstream.received.clear()
    lines = [("Host", b"invoices.example"), ("Connection", b"close"), *(headers or {}).items()]
    return call(front.address, client_context(front.server_ca, caller), request_bytes(method, target, lines), sni=None)


def at_upstream(front: Front) -> Received:
    (received,) = front.upstream.received
    return received


# --- law 7 at the upstream


def test_no_claim_reaches_the_upstream_and_peergates_word_does(grpc_front: Front, billing_files: Credentials) -> None:
    assert asked(grpc_front, billing_files, headers=CLAIMS).status == 200
    received = at_upstream(grpc_front)
    assert received.values("x-peergate-identity") == ["billing"]
    assert received.values("x-peergate-spiffe-id") == ["spiffe://acme.internal/ns/prod/sa/billing"]
    (xfcc,) = received.values("x-forwarded-client-cert")
    assert "admin" not in " ".join(value for _, value in received.headers)
    assert "URI=spiffe://acme.internal/ns/prod/sa/billing" in xfcc


def test_no_claim_of_a_caller_without_certificate_reaches_the_upstream(grpc_front: Front) -> None:
    assert asked(grpc_front, None, b"/healthz", CLAIMS).status == 200
    received = at_upstream(grpc_front)
    names = {name.lower().replace("_", "-") for name, _ in received.headers}
    assert names.isdisjoint(name.lower().replace("_", "-") for name in CLAIMS)


def test_a_header_that_a_rule_sets_replaces_every_value_the_client_sent(grpc_front: Front, tmp_path: Path) -> None:
    """It is in `headers` and not in `headers_to_remove`, which Envoy applies last."""
    sent = {"x-tenant": b"a", "X-Tenant": b"b", "x_tenant": b"c"}
    assert asked(grpc_front, credentials(tmp_path, "acme"), b"/tenants/acme/f", sent).status == 200
    assert at_upstream(grpc_front).values("x-tenant") == ["acme"]


def test_over_http_headers_are_set_and_removed_too(http_front: Front, tmp_path: Path) -> None:
    sent = {"x-tenant": b"a", "client-cert": b"admin", "x-original-url": b"/admin", "ssl-client-cert": b"admin"}
    assert asked(http_front, credentials(tmp_path, "acme"), b"/tenants/acme/f", sent).status == 200
    received = at_upstream(http_front)
    assert received.values("x-tenant") == ["acme"]
    assert received.values("x-peergate-identity") == ["tenant"]
    assert "admin" not in " ".join(value for _, value in received.headers)


# --- bytes that Envoy does not show


def h2_status(front: Front, caller: Credentials, path: bytes) -> tuple[int, dict[str, str]]:
    """Over HTTP/2, which takes bytes in a path that HTTP/1.1 does not."""
    context = ssl.create_default_context(cafile=front.server_ca)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(caller.chain, caller.key)
    settings = h2.config.H2Configuration(header_encoding=None, validate_outbound_headers=False)
    connection = h2.connection.H2Connection(settings)
    connection.initiate_connection()
    head = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"invoices.example"), (b":path", path)]
    connection.send_headers(1, head, end_stream=True)
    with socket.create_connection(front.address, 5) as raw, context.wrap_socket(raw) as secured:
        secured.sendall(connection.data_to_send())
        while True:
            for event in connection.receive_data(secured.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    told = {bytes(name).decode(): bytes(value).decode() for name, value in event.headers}
                    return int(told[":status"]), told
            secured.sendall(connection.data_to_send())


@pytest.mark.parametrize("which", ["grpc_front", "http_front"])
def test_raw_bytes_in_a_path_are_refused_although_envoy_shows_something_else(
    which: str, request: pytest.FixtureRequest, billing_files: Credentials
) -> None:
    """Law 6: `/v1/\\xff` is shown as `/v1/!`, which would be a fine path, and the upstream would get the bytes."""
    front: Front = request.getfixturevalue(which)
    front.upstream.received.clear()
    assert h2_status(front, billing_files, b"/v1/a")[0] == 200
    status, headers = h2_status(front, billing_files, b"/v1/\xff")
    assert (status, headers["x-peergate-reason"]) == (403, "path_ambiguous")
    assert len(front.upstream.received) == 1


def test_with_raw_headers_an_exclamation_mark_is_what_was_sent(
    extauth: LocalExtauth, envoy_binary: Path, tmp_path: Path, billing_files: Credentials
) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    authorization = Authorization(extauth.grpc, timeout=5)
    with careless_envoy(envoy_binary, authorization, folder, encode_raw_headers=True) as front:
        assert h2_status(front, billing_files, b"/v1/a!")[0] == 200
        assert h2_status(front, billing_files, b"/v1/\xff")[1]["x-peergate-reason"] == "path_ambiguous"


def test_a_header_that_is_not_utf_8_is_unknown_although_envoy_shows_something_else(
    grpc_front: Front, extauth: LocalExtauth, billing_files: Credentials
) -> None:
    """Law 2: a deny matches what is unknown."""
    extauth.current = policy_of(
        POLICY + "  - {id: stop, deny: billing, to: {paths: [/v1/b], headers: {x-debug: ['on']}}}\n"
    )
    assert asked(grpc_front, billing_files, b"/v1/b", {"x-debug": b"off"}).status == 200
    assert asked(grpc_front, billing_files, b"/v1/b", {"x-debug": b"off\xff"}).reason == "denied_by_rule"


# --- what the caller sees


@pytest.mark.parametrize("which", ["grpc_front", "http_front"])
def test_a_denied_caller_reads_reason_and_decision_id(which: str, request: pytest.FixtureRequest) -> None:
    answer = asked(request.getfixturevalue(which), None)
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/json"
    told = json.loads(answer.body)
    assert told == {
        "error": "denied",
        "reason": "no_certificate",
        "decision_id": answer.headers["x-peergate-decision-id"],
    }


@pytest.mark.parametrize("which", ["grpc_front", "http_front"])
def test_a_denied_grpc_caller_gets_permission_denied_with_the_reason(
    which: str, request: pytest.FixtureRequest
) -> None:
    """Envoy turns 403 into grpc-status 7, keeps the content type, and puts the body into grpc-message."""
    answer = asked(
        request.getfixturevalue(which), None, b"/acme.Ledger/Post", {"content-type": b"application/grpc"}, "POST"
    )
    assert (answer.status, answer.headers["grpc-status"]) == (200, "7")
    assert answer.headers["content-type"] == "application/grpc"
    assert '"reason":"no_certificate"' in answer.headers["grpc-message"]


def test_the_sni_is_told_over_grpc(grpc_front: Front, extauth: LocalExtauth, billing_files: Credentials) -> None:
    extauth.current = policy_of(
        "version: 1\nstrict_sni: true\n"
        "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}\n"
        "rules: [{id: a, allow: authenticated, to: any}]\n"
    )
    context = client_context(grpc_front.server_ca, billing_files)
    lines = [("Host", b"invoices.example"), ("Connection", b"close")]
    sent = request_bytes("GET", b"/", lines)
    assert call(grpc_front.address, context, sent, sni="invoices.example").status == 200
    assert call(grpc_front.address, context, sent, sni="other.example").status == 421
    assert call(grpc_front.address, context, sent, sni=None).reason == "sni_mismatch"


def test_the_access_log_can_name_the_rule(
    extauth: LocalExtauth, envoy_binary: Path, tmp_path: Path, billing_files: Credentials
) -> None:
    folder = tmp_path / "logged"
    folder.mkdir()
    with careless_envoy(envoy_binary, Authorization(extauth.grpc, timeout=5), folder) as front:
        answer = asked(front, billing_files)
        asked(front, None)
    allowed, denied = (json.loads(line)["peergate"] for line in (folder / "access.log").read_text().splitlines())
    assert (allowed["effect"], allowed["rules"], allowed["identities"]) == ("allow", "billing-reads", "billing")
    assert (denied["effect"], denied["reason"]) == ("deny", "no_certificate")
    assert allowed["generation"] == policy_of(POLICY).generation
    assert answer.echoed().values("x-peergate-decision-id") == [allowed["decision_id"]]
