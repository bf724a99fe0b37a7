"""Real proxies that ask for a client certificate and put it into a header: nginx, HAProxy, Caddy.

Each configuration says "optional, and whoever issued it": what the proxy writes when it did not verify is the question.
"""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path

from pki.authority import Authority, Issued

_START_SECONDS = 15
# Debian keeps servers where a user's PATH does not look.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


_UNVERIFIED = "verify optional ca-ignore-err all crt-ignore-err all"


@dataclass(frozen=True, slots=True)
class Site:
    """What a proxy is configured with; every file lies in `folder`."""

    folder: Path
    port: int
    upstream: int


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """A running proxy."""

    port: int
    folder: Path

    def request(self, client: Issued | None = None, headers: dict[str, str] | None = None) -> int:
        """The status of a GET, with the certificate and the chain of `client`."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if client is not None:
            both = self.folder / "client.pem"
            both.write_bytes(client.chain_pem + client.key_pem)
            context.load_cert_chain(both)
        connection = HTTPSConnection("localhost", self.port, context=context, timeout=10)
        try:
            connection.request("GET", "/", headers=headers or {})
            return connection.getresponse().status
        finally:
            connection.close()


def nginx(site: Site) -> list[str]:
    """nginx in the foreground."""
    folder = site.folder
    (folder / "nginx.conf").write_text(
        f"""
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{site.port} ssl;
    ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.key;
    ssl_verify_client optional_no_ca;
    ssl_client_certificate {folder}/ca.pem;
    location / {{
      proxy_pass http://127.0.0.1:{site.upstream};
      proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
      proxy_set_header X-Verify $ssl_client_verify;
    }}
  }}
}}
"""
    )
    return [program("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def haproxy(site: Site) -> list[str]:
    """HAProxy in the foreground."""
    folder = site.folder
    (folder / "both.pem").write_bytes((folder / "server.pem").read_bytes() + (folder / "server.key").read_bytes())
    (folder / "haproxy.cfg").write_text(
        f"""
global
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{site.port} ssl crt {folder}/both.pem ca-file {folder}/ca.pem {_UNVERIFIED}
  http-request set-header X-Client-Cert %[ssl_c_der,base64]
  http-request set-header X-Client-Chain %[ssl_c_chain_der,base64]
  default_backend upstream
backend upstream
  server upstream 127.0.0.1:{site.upstream}
"""
    )
    return [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


def caddy(site: Site) -> list[str]:
    """Caddy in the foreground."""
    folder = site.folder
    placeholder = "http.request.tls.client"
    (folder / "Caddyfile").write_text(
        f"""
{{
  admin off
  auto_https off
  storage file_system {folder}/caddy
}}
https://localhost:{site.port} {{
  bind 127.0.0.1
  tls {folder}/server.pem {folder}/server.key {{
    client_auth {{
      mode request
    }}
  }}
  reverse_proxy 127.0.0.1:{site.upstream} {{
    header_up X-Client-Cert {{{placeholder}.certificate_der_base64}}
  }}
}}
"""
    )
    return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def program(name: str) -> str:
    """Where the program is that system-deps installs."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise RuntimeError(f"{name} is not installed: make system-deps")
    return found


@contextmanager
def running(configure: Callable[[Site], list[str]], folder: Path, upstream: int) -> Iterator[FrontProxy]:
    """A proxy before `upstream` (a port of the loopback), until the block ends."""
    authority = Authority.root("Front")
    server = authority.issue(dns=["localhost"], server=True)
    (folder / "ca.pem").write_bytes(authority.pem)
    (folder / "server.pem").write_bytes(server.chain_pem)
    (folder / "server.key").write_bytes(server.key_pem)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    with log.open("wb") as output:
        command = configure(Site(folder, port, upstream))
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        await_port(port, process, log)
        yield FrontProxy(port, folder)
    finally:
        process.terminate()
        process.wait(10)


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens there. Raises RuntimeError with the end of the log."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"the proxy does not listen: {log.read_text(errors='replace')[-2000:]}")
