"""`peergate gateway forward-auth` as a program: over TCP, over mTLS and over a Unix socket."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.forward_auth.configuration import ForwardAuthConfiguration, settings_from_configuration
from pki.authority import Authority, Issued
from runtime.errors import ConfigurationError
from runtime.settings import Given, configured
from tests.extauth.service_process import eventually, free_port
from tests.gateway.gateway import files_in
from tests.gateway.server.world import BILLING, Client, billing, mesh

_ROOT = Path(__file__).parents[3]
EDGE = "spiffe://acme.internal/ns/edge/sa/nginx"


def facts(certificate: Issued | None) -> dict[str, str]:
    found = {
        "X-Original-Method": "GET",
        "X-Original-URI": "/v1/a",
        "X-Original-Host": "a.example",
        "X-Original-Address": "192.0.2.7",
        "X-Original-SNI": '""',
    }
    return found if certificate is None else {**found, "Ssl-Client-Cert": quote(certificate.pem, safe="")}


@contextmanager
def serving(folder: Path, listen: str, *flags: str) -> Iterator[None]:
    files = files_in(folder)
    stderr = folder / "stderr"
    arguments = ["--proxy", "nginx", "--policy", str(files.folder / "policy.yaml"), "--listen", listen]
    arguments += ["--decision-log", str(folder / "decisions"), *flags]
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "peergate", "gateway", "forward-auth", *arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: "message=listening" in stderr.read_text() or process.poll() is not None)
        assert process.poll() is None, stderr.read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def asked(connection: socket.socket, certificate: Issued | None) -> tuple[int, str]:
    lines = "".join(f"{name}: {value}\r\n" for name, value in facts(certificate).items())
    with connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: peergate\r\n{lines}\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.headers["x-peergate-reason"] or response.headers["x-peergate-identity"]


def test_over_a_unix_socket_whoever_may_open_it_is_answered(tmp_path: Path) -> None:
    place = str(tmp_path / "asked.sock")
    with serving(tmp_path, f"unix:{place}", "--trusted-hop", "unix"):

        def connected() -> socket.socket:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(place)
            return connection

        assert asked(connected(), billing()) == (200, "billing")
        assert asked(connected(), None) == (403, "no_certificate")
        eventually(lambda: len((tmp_path / "decisions").read_text().splitlines()) == 2)
        record = json.loads((tmp_path / "decisions").read_text().splitlines()[0])
    assert (record["enforcement"], record["source.ip"], record["url.path"]) == ("forward-auth", "192.0.2.7", "/v1/a")


def test_over_tcp_who_is_no_hop_is_refused_and_workers_share_the_port(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, f"127.0.0.1:{port}", "--trusted-hop", "127.0.0.3/32", "--workers", "2"):
        for source, answer in (("127.0.0.3", (200, "billing")), ("127.0.0.1", (403, "request_malformed"))):
            connection = socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0))
            assert asked(connection, billing()) == answer


def test_over_mtls_a_hop_is_who_its_certificate_says(tmp_path: Path) -> None:
    port = free_port()
    tls = ["--cert", str(tmp_path / "served.pem"), "--key", str(tmp_path / "served.key")]
    with serving(tmp_path, f"127.0.0.1:{port}", *tls, "--trusted-hop", f"127.0.0.0/8,spiffe={EDGE}"):

        def connected(client: Client) -> ssl.SSLSocket:
            raw = socket.create_connection(("127.0.0.1", port), 10)
            return client.context().wrap_socket(raw, server_hostname="localhost")

        assert asked(connected(Client(mesh().issue(uri=[EDGE]))), billing()) == (200, "billing")
        # A caller of the policy is no hop, even for its own certificate.
        assert asked(connected(Client(billing())), billing()) == (403, "request_malformed")
        with pytest.raises(OSError):
            asked(connected(Client()), billing())


def test_a_proxy_that_has_verified_needs_no_path_here(tmp_path: Path) -> None:
    place = str(tmp_path / "asked.sock")
    with serving(tmp_path, f"unix:{place}", "--trusted-hop", "unix", "--proxy-verified", "mesh"):
        # The word counts for the path alone: the policy requires revocation to be known.
        stranger = Authority.root("stranger").issue(uri=[BILLING])
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(place)
        assert asked(connection, stranger) == (403, "revocation_unknown")
        replaced = (tmp_path / "policy.yaml").read_text().replace(", revocation: require", "")
        (tmp_path / ".new").write_text(replaced)
        (tmp_path / ".new").replace(tmp_path / "policy.yaml")

        def answer() -> tuple[int, str]:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(place)
            return asked(connection, stranger)

        eventually(lambda: answer() == (200, "billing"))
    assert "--proxy-verified: these laws do not hold" in (tmp_path / "stderr").read_text()


def test_a_proxys_word_is_not_taken_where_anybody_may_ask(tmp_path: Path) -> None:
    files_in(tmp_path)
    given: dict[str, Given] = {
        "proxy": "nginx",
        "policy": "p",
        "listen": "127.0.0.1:0",
        "trusted_hop": ["127.0.0.1/32"],
        "proxy_verified": "mesh",
    }
    with pytest.raises(ConfigurationError, match="anybody could say who calls"):
        settings_from_configuration(configured(ForwardAuthConfiguration, given, {}).value)
    given["listen"], given["trusted_hop"] = "unix:/run/a.sock", ["unix"]
    assert settings_from_configuration(configured(ForwardAuthConfiguration, given, {}).value).proxy_verified == "mesh"


@pytest.mark.parametrize(
    ("listen", "hops", "said"),
    [
        ("127.0.0.1:0", ["unix"], "comes over TCP, where --listen is; write --trusted-hop 127.0.0.1/32"),
        ("unix:/a", ["10.0.0.0/8"], "comes over a Unix socket, where --listen is; write --trusted-hop unix"),
    ],
)
def test_hops_of_whom_nobody_could_ask_are_refused(listen: str, hops: list[str], said: str) -> None:
    given: dict[str, Given] = {"proxy": "nginx", "policy": "p", "listen": listen, "trusted_hop": hops}
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        settings_from_configuration(configured(ForwardAuthConfiguration, given, {}).value)
    given["trusted_hop"] = [*hops, "unix", "127.0.0.1/32"]
    assert settings_from_configuration(configured(ForwardAuthConfiguration, given, {}).value).listener.listen
