"""deploy/envoy: what a reader copies is what peergate generates, and Envoy takes it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from peergate.demo.client import Answer, answer_from_socket, call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.ext_authz import Authorization, Protocol
from runtime.envoy.process import EnvoyProcess
from runtime.envoy.tls import DownstreamTls
from tests.support.envoy_validation import complaints_of_envoy
from tests.support.front import Front
from tests.support.local_extauth import LocalExtauth
from tests.support.mesh import POLICY, Mesh

FOLDER = Path(__file__).parents[2] / "deploy" / "envoy"
GET = request_bytes("GET", b"/", [("Host", b"h.example")])
PROXY_PROTOCOL = {
    "name": "envoy.filters.listener.proxy_protocol",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
    },
}
FILES = ("envoy-grpc.yaml", "envoy-http.yaml")


def _written(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def _settings(authorization: Authorization, tls: Path = Path("/etc/envoy/tls")) -> EnvoySettings:
    return EnvoySettings(
        listen=TcpAddress("0.0.0.0", 8443),
        tls=DownstreamTls(tls / "server.pem", tls / "server.key", tls / "client-cas.pem"),
        authorization=authorization,
        upstream=TcpAddress("127.0.0.1", 8080),
        admin=TcpAddress("127.0.0.1", 9901),
        access_log=Path("/dev/stdout"),
    )


def test_the_grpc_file_is_field_by_field_what_peergate_generates() -> None:
    settings = _settings(Authorization(UnixAddress("/run/peergate/extauth.sock")))
    assert _written("envoy-grpc.yaml") == bootstrap_from_settings(settings)


def test_the_http_file_is_field_by_field_what_peergate_generates() -> None:
    settings = _settings(
        Authorization(
            UnixAddress("/run/peergate/extauth-http.sock"),
            Protocol.HTTP,
            seen_headers=("x-channel",),
            set_headers=("x-tenant",),
        )
    )
    assert _written("envoy-http.yaml") == bootstrap_from_settings(settings)


@pytest.mark.parametrize("name", FILES)
def test_envoy_takes_the_file(name: str, tmp_path: Path) -> None:
    authority = Authority.root("mesh")
    server = authority.issue(dns=["server"], server=True)
    for file, content in {
        "server.pem": server.pem,
        "server.key": server.key_pem,
        "client-cas.pem": authority.pem,
    }.items():
        (tmp_path / file).write_bytes(content)
    text = (FOLDER / name).read_text(encoding="utf-8").replace("/etc/envoy/tls", str(tmp_path))
    assert complaints_of_envoy(yaml.safe_load(text), tmp_path) == ""


@pytest.mark.parametrize("name", FILES)
def test_no_plain_word_in_the_file_is_a_boolean_of_yaml_1_1(name: str) -> None:
    text = re.sub(r"#.*", "", (FOLDER / name).read_text(encoding="utf-8"))
    plain = re.findall(r"[:\[{,]\s*(y|n|yes|no|on|off)\s*[,}\]\n]", text, re.IGNORECASE)
    assert plain == []


@pytest.mark.parametrize("name", FILES)
def test_the_file_enforces_a_policy(name: str, mesh: Mesh, envoy_binary: Path) -> None:
    mesh.write(POLICY + "  - {id: told, allow: billing, to: {paths: [/told]}, set_headers: {x-tenant: acme}}\n")
    with LocalExtauth(mesh.folder, seen_headers=("content-type", "x-forwarded-for", "x-channel")) as extauth:
        extauth.current = mesh.loaded()
        with _running(name, mesh, envoy_binary) as running:
            assert mesh.get(running).status == 200
            assert mesh.get(running, b"/elsewhere").reason == "no_matching_rule"
            forged = {
                "x-tenant": "evil",
                "x_tenant": "evil",
                "x-peergate-identity": "evil",
                "ssl-client-verify": "evil",
            }
            assert "evil" not in str(mesh.get(running, headers=forged).echoed())
            assert mesh.get(running, b"/told", headers=forged).echoed().values("x-tenant") == ["acme"]
            with pytest.raises(OSError):
                call(running.address, client_context(running.server_ca, None), GET, sni=None)


@pytest.fixture
def zoned(mesh: Mesh) -> Iterator[Mesh]:
    """Both forms of the service; who calls from 127.0.0.1 is refused, who calls from 127.0.0.2 is not."""
    mesh.write(POLICY + "  - {id: no-loop, deny: anyone, to: any, from: loop}\nzones: {loop: [127.0.0.1]}\n")
    with LocalExtauth(mesh.folder, seen_headers=("content-type", "x-forwarded-for", "x-channel")) as extauth:
        extauth.current = mesh.loaded()
        yield mesh


def _asked_from(source: str, mesh: Mesh, running: Front, *forwarded_for: str) -> Answer:
    headers = [("Host", b"h.example"), *(("X-Forwarded-For", value.encode()) for value in forwarded_for)]
    context = client_context(running.server_ca, mesh.billing)
    return call(running.address, context, request_bytes("GET", b"/v1/a", headers), sni=None, source=source)


@pytest.mark.parametrize("forwarded_for", [(), ("8.8.8.8",), ("8.8.8.8, 127.0.0.2", "127.0.0.2"), ("",)], ids=repr)
@pytest.mark.parametrize("name", FILES)
def test_a_zone_judges_a_caller_from_loopback_by_the_address_of_its_connection(
    name: str, forwarded_for: tuple[str, ...], zoned: Mesh, envoy_binary: Path
) -> None:
    with _running(name, zoned, envoy_binary) as running:
        assert _asked_from("127.0.0.1", zoned, running, *forwarded_for).reason == "denied_by_rule"
        assert _asked_from("127.0.0.2", zoned, running, *forwarded_for).status == 200


@pytest.mark.parametrize("name", FILES)
def test_a_zone_is_not_misled_by_an_address_that_the_caller_forwards(
    name: str, zoned: Mesh, envoy_binary: Path
) -> None:
    with _running(name, zoned, envoy_binary) as running:
        assert _asked_from("127.0.0.2", zoned, running, "127.0.0.1").status == 200


def test_over_http_the_address_is_appended_once_to_what_a_balancer_forwarded(zoned: Mesh, envoy_binary: Path) -> None:
    with _running("envoy-http.yaml", zoned, envoy_binary) as running:
        received = _asked_from("127.0.0.2", zoned, running, "192.0.2.7").echoed()
    assert [part.strip() for part in ",".join(received.values("x-forwarded-for")).split(",")] == [
        "192.0.2.7",
        "127.0.0.2",
    ]


@pytest.mark.parametrize("name", FILES)
def test_behind_proxy_protocol_a_zone_judges_the_address_that_the_balancer_told(
    name: str, zoned: Mesh, envoy_binary: Path
) -> None:
    def told(running: Front, address: bytes) -> Answer:
        context = client_context(running.server_ca, zoned.billing)
        with socket.create_connection(running.address, 10) as raw:
            raw.sendall(b"PROXY TCP4 " + address + b" 127.0.0.9 4242 443\r\n")
            with context.wrap_socket(raw, server_hostname="h.example") as connection:
                connection.sendall(request_bytes("GET", b"/v1/a", [("Host", b"h.example")]))
                return answer_from_socket(connection, method="GET")

    with _running(name, zoned, envoy_binary, proxy_protocol=True) as running:
        assert told(running, b"192.0.2.7").status == 200
        assert told(running, b"127.0.0.1").reason == "denied_by_rule"


@contextmanager
def _running(name: str, mesh: Mesh, envoy_binary: Path, *, proxy_protocol: bool = False) -> Iterator[Front]:
    """The file with addresses and paths of this test, and nothing else changed, or PROXY protocol asked for as well."""
    (mesh.folder / "client-cas.pem").write_bytes((mesh.policy / "pki" / "mesh.pem").read_bytes())
    authority = Authority.root("front")
    server = authority.issue(dns=["h.example"], server=True)
    for file, content in {"server.pem": server.pem, "server.key": server.key_pem, "ca.pem": authority.pem}.items():
        (mesh.folder / file).write_bytes(content)
    with EchoUpstream() as upstream:
        text = (FOLDER / name).read_text(encoding="utf-8")
        for written, here in {
            "/etc/envoy/tls": str(mesh.folder),
            "/run/peergate/extauth-http.sock": str(mesh.folder / "http.sock"),
            "/run/peergate/extauth.sock": str(mesh.folder / "grpc.sock"),
            "socket_address: {address: 127.0.0.1, port_value: 9901}": f"pipe: {{path: {mesh.folder}/admin.sock}}",
            "{address: 0.0.0.0, port_value: 8443}": "{address: 127.0.0.1, port_value: 0}",
            "port_value: 8080": f"port_value: {upstream.port}",
            "timeout: 0.2s": "timeout: 5s",
        }.items():
            text = text.replace(written, here)
        admin = UnixAddress(f"{mesh.folder}/admin.sock")
        bootstrap = yaml.safe_load(text)
        if proxy_protocol:
            bootstrap["static_resources"]["listeners"][0]["listener_filters"].insert(0, PROXY_PROTOCOL)
        with EnvoyProcess.run(envoy_binary, bootstrap, admin, mesh.folder) as envoy:
            yield Front((envoy.address.host, envoy.address.port), mesh.folder / "ca.pem", upstream, envoy)
