"""Law 7 for trailers, through a real Envoy: frameworks merge them into headers; ext_authz never shows them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamEnded, StreamReset

from peergate.demo.client import answer_from_socket, client_context
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from policies.engine.header_names import IDENTITY_HEADERS, IDENTITY_PREFIXES, REWRITING_HEADERS
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.envoy.h2_upstream import Fields, H2Upstream
from tests.support.local_extauth import LocalExtauth
from tests.support.mesh import POLICY, Mesh

FORMS = (Protocol.GRPC, Protocol.HTTP)
TELLING = POLICY + "  - {id: told, allow: billing, to: {paths: [/told]}, set_headers: {x-tenant: acme}}\n"
HEAD: Fields = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"h.example"), (b":path", b"/told")]
UNTOUCHABLE = sorted(IDENTITY_HEADERS | REWRITING_HEADERS | {prefix + "odd-one" for prefix in IDENTITY_PREFIXES})


@dataclass(frozen=True)
class Served:
    """Where to call, and whom to trust there."""

    address: tuple[str, int]
    server_ca: Path


@contextmanager
def _envoy(mesh: Mesh, binary: Path, form: Protocol, port: int, *, http2: bool) -> Iterator[Served]:
    """Envoy before the upstream at `port`; told that rules set x-tenant."""
    authority = Authority.root("front")
    server = authority.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": authority.pem}.items():
        (mesh.folder / name).write_bytes(content)
    mesh.write(TELLING)
    with LocalExtauth(mesh.folder, seen_headers=("content-type", "x-forwarded-for")) as extauth:
        extauth.current = mesh.loaded()
        service = extauth.grpc if form is Protocol.GRPC else extauth.http
        settings = EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(mesh.folder / "s.pem", mesh.folder / "s.key", mesh.policy / "pki" / "mesh.pem"),
            authorization=Authorization(service, form, timeout=5, set_headers=("x-tenant",)),
            upstream=TcpAddress("127.0.0.1", port),
            admin=UnixAddress(str(mesh.folder / "admin.sock")),
        )
        bootstrap: Any = bootstrap_from_settings(settings)
        if http2:
            (options,) = bootstrap["static_resources"]["clusters"][1]["typed_extension_protocol_options"].values()
            options["explicit_http_config"] = {"http2_protocol_options": {}}
        with EnvoyProcess.run(binary, bootstrap, settings.admin, mesh.folder) as envoy:
            yield Served((envoy.address.host, envoy.address.port), mesh.folder / "ca.pem")


@pytest.fixture
def upstream() -> Iterator[H2Upstream]:
    with H2Upstream() as running:
        yield running


@pytest.fixture(params=FORMS, ids=str)
def served(request: pytest.FixtureRequest, mesh: Mesh, upstream: H2Upstream, envoy_binary: Path) -> Iterator[Served]:
    with _envoy(mesh, envoy_binary, request.param, upstream.port, http2=True) as running:
        yield running


def _status(served: Served, mesh: Mesh, trailers: Fields) -> int | None:
    """Send one HTTP/2 request with a body and these trailers. None if it was ended instead of answered."""
    context = client_context(served.server_ca, mesh.billing)
    context.set_alpn_protocols(["h2"])
    status: int | None = None
    with (
        socket.create_connection(served.address, 10) as raw,
        context.wrap_socket(raw, server_hostname="h.example") as connection,
    ):
        h2 = H2Connection(
            H2Configuration(header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        h2.initiate_connection()
        h2.send_headers(1, HEAD)
        h2.send_data(1, b"body")
        h2.send_headers(1, trailers, end_stream=True)
        connection.sendall(h2.data_to_send())
        while received := connection.recv(65_536):
            for event in h2.receive_data(received):
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, (StreamEnded, StreamReset, ConnectionTerminated)):
                    return status
            connection.sendall(h2.data_to_send())
    return None


def test_law_7_identity_in_a_trailer_does_not_reach_an_http2_upstream(
    served: Served, mesh: Mesh, upstream: H2Upstream
) -> None:
    forged = [(name.encode(), b"evil") for name in UNTOUCHABLE]
    assert _status(served, mesh, [*forged, (b"x-checksum", b"1"), (b"x-tenant", b"evil")]) == 200
    (received,) = upstream.received
    assert received.trailers == [(b"x-checksum", b"1")]
    assert (b"x-tenant", b"acme") in received.headers


def test_law_7_a_trailer_with_an_underscore_does_not_pass_for_identity(
    served: Served, mesh: Mesh, upstream: H2Upstream
) -> None:
    status = _status(served, mesh, [(b"x_peergate_identity", b"evil"), (b"x-checksum", b"1")])
    assert status == 200
    assert [received.trailers for received in upstream.received] == [[(b"x-checksum", b"1")]]


def test_a_request_with_forged_trailers_only_ends_without_any(served: Served, mesh: Mesh, upstream: H2Upstream) -> None:
    assert _status(served, mesh, [(b"x-peergate-identity", b"evil")]) == 200
    assert [received.trailers for received in upstream.received] == [[]]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_law_7_an_http1_upstream_gets_the_request_and_no_trailer(
    form: Protocol, mesh: Mesh, envoy_binary: Path
) -> None:
    with EchoUpstream() as upstream, _envoy(mesh, envoy_binary, form, upstream.port, http2=False) as running:
        request = (
            b"POST /told HTTP/1.1\r\nHost: h.example\r\nTransfer-Encoding: chunked\r\n"
            b"Trailer: x-peergate-identity\r\n\r\n4\r\nbody\r\n0\r\nx-peergate-identity: evil\r\n\r\n"
        )
        context = client_context(running.server_ca, mesh.billing)
        with (
            socket.create_connection(running.address, 10) as raw,
            context.wrap_socket(raw, server_hostname="h.example") as connection,
        ):
            connection.sendall(request)
            answer = answer_from_socket(connection, method="POST")
        assert answer.status == 200
        assert _status(running, mesh, [(b"x-peergate-identity", b"evil")]) == 200
        assert "evil" not in str(upstream.received)
