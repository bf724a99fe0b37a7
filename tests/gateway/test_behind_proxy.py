"""`peergate gateway serve --certificate-header` as a program, and the real nginx in front of it."""

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from pki.authority import Authority, Issued
from tests.extauth.service_process import eventually
from tests.gateway.gateway import POLICY, files_in
from tests.gateway.server.world import BILLING, Client, billing, mesh
from tests.gateway.service_process import Upstream
from tests.proxies.front_proxies import Site, nginx
from tests.proxies.front_proxies import running as running_proxy

_ROOT = Path(__file__).parents[2]
CLOSE = "Connection: close"
OPEN = POLICY + "  - {id: health, allow: unauthenticated, to: {paths: [/healthz]}}\n"


@contextmanager
def gateway(folder: Path, *flags: str) -> Iterator[tuple[str, Upstream]]:
    """A gateway on a Unix socket, without TLS; the path of the socket and its upstream."""
    files = files_in(folder)
    files.policy(OPEN)
    upstream, stderr, place = Upstream(), folder / "stderr", str(folder / "gateway.sock")
    arguments = ["--policy", str(folder / "policy.yaml"), "--listen", f"unix:{place}", "--upstream", upstream.url]
    arguments += ["--decision-log", "off", *flags]
    arguments += [] if "--certificate-header" in flags else ["--certificate-header", "nginx"]
    with stderr.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "peergate", "gateway", "serve", *arguments],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: "message=listening" in stderr.read_text() or process.poll() is not None)
        assert process.poll() is None, stderr.read_text()
        yield place, upstream
    finally:
        process.terminate()
        process.wait(20)
        upstream.close()


def asked(place: str, target: str, *headers: str, hop: Client | None = None) -> tuple[int, bytes]:
    """The answer to a request; `hop`: who speaks TLS to the gateway."""
    with ExitStack() as open_until_answered:
        connection = open_until_answered.enter_context(socket.socket(socket.AF_UNIX))
        connection.connect(place)
        if hop is not None:
            tls = hop.context().wrap_socket(connection, server_hostname="localhost")
            connection = open_until_answered.enter_context(tls)
        closing = [] if "Connection: Upgrade" in headers else [CLOSE]
        lines = "".join(f"{header}\r\n" for header in (*headers, *closing))
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


def certificate_header(issued: Issued) -> str:
    return f"Ssl-Client-Cert: {quote(issued.pem, safe='')}"


def test_over_plain_http_a_trusted_hop_says_who_the_client_is(tmp_path: Path) -> None:
    with gateway(tmp_path, "--trusted-hop", "unix", "--balancer", "10.0.0.0/8") as (place, upstream):
        header = certificate_header(billing())
        assert asked(place, "/v1/a", header, "X-Forwarded-For: 192.0.2.7, 10.0.0.1") == (200, b"served")
        head = upstream.heads[-1].lower()
        assert b"x-peergate-identity: billing" in head
        assert b"\r\nclient-cert: :" in head
        assert b"x-forwarded-for: 192.0.2.7\r\n" in head
        assert b"ssl-client-cert" not in head
        for headers, reason in (
            ((), b"no_certificate"),
            ((header, header), b"certificate_malformed"),
            ((f"{header}A",), b"certificate_malformed"),
            ((certificate_header(Authority.root("stranger").issue(dns=["a"])),), b"certificate_untrusted"),
        ):
            status, body = asked(place, "/v1/a", *headers)
            assert (status, reason in body) == (403, True), body
        assert asked(place, "/healthz") == (200, b"served")


def test_a_websocket_is_judged_by_the_header_too(tmp_path: Path) -> None:
    upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    with gateway(tmp_path, "--trusted-hop", "unix") as (place, upstream):
        status, body = asked(place, "/v1/a", *upgrade, "Connection: Upgrade")
        assert (status, b"no_certificate" in body) == (403, True)
        assert upstream.heads == []
        # The upstream of this test does not take it, but it is asked.
        asked(place, "/v1/a", certificate_header(billing()), *upgrade, "Connection: Upgrade")
        assert b"x-peergate-identity: billing" in upstream.heads[-1].lower()


def test_who_is_no_trusted_hop_gets_nothing_not_even_what_needs_no_certificate(tmp_path: Path) -> None:
    with gateway(tmp_path, "--trusted-hop", "10.0.0.0/8") as (place, upstream):
        for target in ("/v1/a", "/healthz"):
            status, body = asked(place, target, certificate_header(billing()))
            assert (status, b"request_malformed" in body) == (403, True)
            assert asked(place, target)[0] == 403
        assert upstream.heads == []


def test_over_mtls_a_hop_is_who_its_certificate_says(tmp_path: Path) -> None:
    edge = "spiffe://acme.internal/ns/edge/sa/nginx"
    tls = ["--cert", str(tmp_path / "served.pem"), "--key", str(tmp_path / "served.key")]
    header = certificate_header(billing())
    with gateway(tmp_path, *tls, "--trusted-hop", f"unix,spiffe={edge}") as (place, upstream):
        hop = Client(mesh().issue(uri=[edge]))
        assert asked(place, "/v1/a", header, hop=hop) == (200, b"served")
        assert asked(place, "/v1/a", hop=hop)[0] == 403
        # A caller of the policy is no hop: neither for others nor for itself.
        for target in ("/v1/a", "/healthz"):
            assert asked(place, target, header, hop=Client(billing()))[0] == 403
            assert asked(place, target, hop=Client(billing()))[0] == 403
        with pytest.raises(OSError):
            asked(place, "/healthz", hop=Client())
        assert len(upstream.heads) == 1


@pytest.mark.parametrize("spoofed", [{}, {"Ssl-Client-Cert": "x"}, {"ssl_client_cert": "x"}])
def test_behind_the_real_nginx_the_certificate_of_the_connection_counts(
    tmp_path: Path, spoofed: dict[str, str]
) -> None:
    def in_front(site: Site) -> list[str]:
        command = nginx(site)
        file = site.folder / "nginx.conf"
        text = file.read_text().replace("X-Client-Cert", "Ssl-Client-Cert")
        file.write_text(text.replace(f"http://127.0.0.1:{site.upstream}", f"http://unix:{place}:"))
        return [*command, "-g", "user root;"] if os.geteuid() == 0 else command

    with gateway(tmp_path, "--trusted-hop", "unix") as (place, upstream):
        front = tmp_path / "front"
        front.mkdir()
        with running_proxy(in_front, front, 1) as proxy:
            assert proxy.request(billing(), spoofed) == 200
            assert b"x-peergate-identity: billing" in upstream.heads[-1].lower()
            assert proxy.request(None, spoofed) == 403
            assert proxy.request(Authority.root("stranger").issue(dns=["a"]), spoofed) == 403
            assert len(upstream.heads) == 1


def test_a_proxy_that_has_verified_needs_no_path_here(tmp_path: Path) -> None:
    flags = ("--trusted-hop", "unix", "--proxy-verified", "mesh", "--ops", f"unix:{tmp_path / 'ops.sock'}")
    stranger = Authority.root("stranger")
    ended = datetime.now(UTC) - timedelta(days=1)
    with gateway(tmp_path, *flags) as (place, upstream):
        # The policy requires revocation to be known, and there is no CRL of that CA.
        status, body = asked(place, "/v1/a", certificate_header(stranger.issue(uri=[BILLING])))
        assert (status, b"revocation_unknown" in body) == (403, True)
        replaced = (tmp_path / "policy.yaml").read_text().replace(", revocation: require", "")
        (tmp_path / ".new").write_text(replaced)
        (tmp_path / ".new").replace(tmp_path / "policy.yaml")
        eventually(lambda: asked(place, "/v1/a", certificate_header(stranger.issue(uri=[BILLING])))[0] == 200)
        assert b"x-peergate-spiffe-id: spiffe://acme.internal/ns/prod/sa/billing" in upstream.heads[-1].lower()
        expired = stranger.issue(uri=[BILLING], not_before=ended - timedelta(days=1), not_after=ended)
        for issued, reason in (
            (expired, b"certificate_expired"),
            (stranger.issue(uri=[BILLING], client=False, server=True), b"certificate_untrusted"),
            (stranger.issue(uri=["spiffe://other.example/a"]), b"svid_invalid"),
        ):
            status, body = asked(place, "/v1/a", certificate_header(issued))
            assert (status, reason in body) == (403, True), body
        assert asked(place, "/v1/a")[0] == 403
    assert "--proxy-verified: these laws do not hold" in (tmp_path / "stderr").read_text()


def test_names_of_xfcc_count_if_the_proxy_has_verified(tmp_path: Path) -> None:
    header = f"X-Forwarded-Client-Cert: Hash={'ab' * 32};URI={BILLING}"
    flags = ("--certificate-header", "xfcc", "--trusted-hop", "unix", "--proxy-verified", "mesh")
    with gateway(tmp_path, *flags) as (place, upstream):
        status, body = asked(place, "/v1/a", header)
        assert (status, b"revocation_unknown" in body) == (403, True)
        replaced = (tmp_path / "policy.yaml").read_text().replace(", revocation: require", "")
        (tmp_path / ".new").write_text(replaced)
        (tmp_path / ".new").replace(tmp_path / "policy.yaml")
        eventually(lambda: asked(place, "/v1/a", header)[0] == 200)
        assert b"x-peergate-spiffe-id: spiffe://acme.internal/ns/prod/sa/billing" in upstream.heads[-1].lower()
        for forged in (f"{header};URI={BILLING}", f"{header},{header}", "X-Forwarded-Client-Cert: URI="):
            assert asked(place, "/v1/a", forged)[0] == 403
        assert asked(place, "/v1/a", header, header)[0] == 403
