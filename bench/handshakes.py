"""Full handshakes: the gateway's server against uvicorn's own TLS, both with a client certificate and one request each.

`python -m bench.handshakes plain|gateway SOCKET FOLDER` is such a server. What is compared is the processor time of the
server for one connection: the clients have another core, and need not be faster than it.
"""

import socket
import ssl
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import monotonic
from typing import Final

import uvicorn

from bench.allow_all import allow_all
from bench.figure import Bound, Figure, ratios
from bench.processes import cores, processor_seconds, serving
from gateway.server.server import GatewayServer
from gateway.server.tls_context import GatewayContext
from pki.authority import Authority
from runtime.address import UnixAddress
from runtime.listener import listener_from_address
from runtime.listener_tls import TlsFiles, material_from_files

PART: Final = "handshakes"
_PLAIN, _GATEWAY = "plain", "gateway"
_BOUND = Bound(0.9, at_least=True)
_CLIENTS = 2
_QUESTION = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def figures(rounds: int = 9, seconds: float = 1.0) -> Iterator[Figure]:
    """Connections with a full handshake of TLS 1.3 and one request."""
    server_cores, _ = cores()
    spent: dict[str, list[float]] = {_PLAIN: [], _GATEWAY: []}
    with TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        context = _client_context(folder)
        processes = {
            kind: running.enter_context(
                serving(["-m", "bench.handshakes", kind, str(folder / kind), name], folder / kind, server_cores)
            )
            for kind in spent
        }
        for _ in range(rounds):
            for kind, process in processes.items():
                before = processor_seconds(process.pid)
                made = _connections(folder / kind, context, seconds)
                spent[kind].append((processor_seconds(process.pid) - before) / made * 1e6)
    for kind, samples in spent.items():
        yield Figure(PART, f"{kind}: server's time for one connection", "µs", tuple(samples))
    kept = ratios(spent[_PLAIN], spent[_GATEWAY])
    yield Figure(PART, "full handshakes of one core, gateway : plain uvicorn TLS", "x", kept, _BOUND)


def serve_plain(path: str, folder: Path) -> None:
    """Uvicorn as it comes, asking for a client certificate, until the process ends."""
    uvicorn.run(
        allow_all,
        uds=path,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_certfile=str(folder / "served.pem"),
        ssl_keyfile=str(folder / "served.key"),
        ssl_ca_certs=str(folder / "ca.pem"),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )


def serve_gateway(path: str, folder: Path) -> None:
    """The gateway's server before the same application, until the process ends."""
    context = server_context(folder)
    server = GatewayServer(allow_all, listener_from_address(UnixAddress(path)), lambda: context)
    server.start()
    Event().wait()


def server_context(folder: Path) -> GatewayContext:
    """The gateway's, from `served.pem`, `served.key` and `ca.pem` of `folder`."""
    files = TlsFiles(str(folder / "served.pem"), str(folder / "served.key"), flag_prefix="--")
    ca = ssl.PEM_cert_to_DER_cert((folder / "ca.pem").read_text(encoding="ascii"))
    return GatewayContext.of(material_from_files(files), files, [ca], required=True)


def _client_context(folder: Path) -> ssl.SSLContext:
    """Write every file, and be a client."""
    authority = Authority.root("Mesh root")
    served, client = authority.issue(dns=["localhost"], server=True), authority.issue(uri=["spiffe://acme.internal/a"])
    (folder / "ca.pem").write_bytes(authority.pem)
    for name, issued in {"served": served, "client": client}.items():
        (folder / f"{name}.pem").write_bytes(issued.chain_pem)
        (folder / f"{name}.key").write_bytes(issued.key_pem)
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    return context


def _connections(path: Path, context: ssl.SSLContext, seconds: float) -> int:
    """How many were made and answered."""
    deadline = monotonic() + seconds

    def connect() -> int:
        count = 0
        while monotonic() < deadline:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(path))
                with context.wrap_socket(raw, server_hostname="localhost") as connection:
                    connection.sendall(_QUESTION)
                    while connection.recv(4096):
                        pass
            count += 1
        return count

    with ThreadPoolExecutor(_CLIENTS) as threads:
        return sum(client.result() for client in [threads.submit(connect) for _ in range(_CLIENTS)])


if __name__ == "__main__":
    {_PLAIN: serve_plain, _GATEWAY: serve_gateway}[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
