"""An Envoy of ours: ready when it is handed out, gone when it is stopped, clear about what keeps it from starting."""

import dataclasses
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from peergate.demo.client import call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.errors import EnvoyFailedError
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls


@pytest.fixture
def upstream() -> Iterator[EchoUpstream]:
    with EchoUpstream() as started:
        yield started


@pytest.fixture
def settings(tmp_path: Path, upstream: EchoUpstream) -> EnvoySettings:
    authority = Authority.root("mesh")
    server = authority.issue(dns=["server"], server=True)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": authority.pem}.items():
        (tmp_path / name).write_bytes(content)
    return EnvoySettings(
        listen=TcpAddress("127.0.0.1", 0),
        tls=DownstreamTls(
            tmp_path / "s.pem", tmp_path / "s.key", tmp_path / "ca.pem", require_client_certificate=False
        ),
        authorization=Authorization(UnixAddress(str(tmp_path / "nobody.sock"))),
        upstream=TcpAddress("127.0.0.1", upstream.port),
        admin=UnixAddress(str(tmp_path / "admin.sock")),
    )


def test_it_serves_when_it_is_handed_out(envoy_binary: Path, settings: EnvoySettings, tmp_path: Path) -> None:
    with EnvoyProcess.start(envoy_binary, settings, tmp_path) as envoy:
        assert envoy.admin.is_ready()
        assert envoy.address.port != 0


def test_law_2_without_its_service_every_request_is_denied(
    envoy_binary: Path, settings: EnvoySettings, tmp_path: Path, upstream: EchoUpstream
) -> None:
    with EnvoyProcess.start(envoy_binary, settings, tmp_path) as envoy:
        context = client_context(tmp_path / "ca.pem", None)
        request = request_bytes("GET", b"/", [("Host", b"server")])
        answer = call((envoy.address.host, envoy.address.port), context, request, sni="server")
    assert (answer.status, upstream.received) == (403, [])


def test_it_is_gone_when_it_is_stopped(envoy_binary: Path, settings: EnvoySettings, tmp_path: Path) -> None:
    envoy = EnvoyProcess.start(envoy_binary, settings, tmp_path)
    address = envoy.address
    envoy.stop()
    envoy.stop()  # a second time is nothing
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((address.host, address.port), 1)


def test_a_taken_port_is_named(envoy_binary: Path, settings: EnvoySettings, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = dataclasses.replace(settings, listen=TcpAddress("127.0.0.1", port))
        with pytest.raises(EnvoyFailedError, match=rf"127\.0\.0\.1:{port}.*Address already in use"):
            EnvoyProcess.start(envoy_binary, busy, tmp_path)


def test_a_missing_certificate_is_named(envoy_binary: Path, settings: EnvoySettings, tmp_path: Path) -> None:
    (tmp_path / "s.pem").unlink()
    with pytest.raises(EnvoyFailedError, match=r"s\.pem"):
        EnvoyProcess.start(envoy_binary, settings, tmp_path)


def test_a_program_that_is_no_envoy_ends_at_once(settings: EnvoySettings, tmp_path: Path) -> None:
    with pytest.raises(EnvoyFailedError, match="ended at once"):
        EnvoyProcess.start(Path("/bin/false"), settings, tmp_path)
