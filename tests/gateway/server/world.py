"""A server with a mesh of its own, and clients over real TLS sockets."""

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gateway.server.attempt import Source
from gateway.server.bounds import Bounds
from gateway.server.server import GatewayServer
from gateway.server.tls_context import GatewayContext
from pki.authority import Authority, Issued
from runtime.address import Address, TcpAddress
from runtime.listener import listener_from_address
from runtime.listener_tls import TlsFiles, TlsMaterial

ANYWHERE = TcpAddress("127.0.0.1", 0)
QUESTION = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BILLING = "spiffe://acme.internal/ns/prod/sa/billing"


@cache
def mesh() -> Authority:
    return Authority.root("Mesh root")


@cache
def billing() -> Issued:
    return mesh().issue(uri=[BILLING])


@cache
def served() -> Issued:
    return mesh().issue(dns=["localhost"], ip=["127.0.0.1"], server=True)


def context(*, required: bool = True, cas: Sequence[bytes] | None = None, **options: Any) -> GatewayContext:
    material = TlsMaterial(served().chain_pem, served().key_pem, None)
    cas = [mesh().issued.der] if cas is None else cas
    return GatewayContext.of(material, TlsFiles("c", "k", None, "--"), cas, required=required, **options)


class Recorder:
    """An application that remembers the scopes it is shown, and answers with the length of the body."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                await send({"type": "websocket.send", "text": message.get("text")})
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = str(size).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]}
        )
        await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(
    app: Any,
    bounds: Bounds | None = None,
    *,
    address: Address = ANYWHERE,
    tls: Callable[[], GatewayContext | None] | None = None,
    is_balancer: Callable[[Source], bool] = lambda _: False,
    count: Callable[[bool], None] = lambda _: None,
) -> Iterator[GatewayServer]:
    made = context()
    listener = listener_from_address(address)
    server = GatewayServer(app, listener, tls or (lambda: made), bounds, is_balancer=is_balancer, count=count)
    server.start()
    try:
        yield server
    finally:
        server.stop(1)


@dataclass(frozen=True)
class Client:
    """How a client connects. `issued` None: without a certificate."""

    issued: Issued | None = None
    version: ssl.TLSVersion | None = None

    def context(self) -> ssl.SSLContext:
        made = ssl.create_default_context(cadata=mesh().pem.decode())
        if self.version is not None:
            made.minimum_version = made.maximum_version = self.version
        if self.issued is not None:
            with tempfile.TemporaryDirectory() as folder:
                chain, key = Path(folder) / "chain", Path(folder) / "key"
                chain.write_bytes(self.issued.chain_pem)
                key.write_bytes(self.issued.key_pem)
                made.load_cert_chain(chain, key)
        return made

    def raw(self, server: GatewayServer) -> socket.socket:
        assert isinstance(server.address, TcpAddress)
        return socket.create_connection((server.address.host, server.address.port), timeout=20)

    def connected(self, server: GatewayServer, before: bytes = b"") -> ssl.SSLSocket:
        raw = self.raw(server)
        try:
            raw.sendall(before)
            return self.context().wrap_socket(raw, server_hostname="localhost")
        except BaseException:
            raw.close()
            raise

    def answer(
        self, server: GatewayServer, sent: bytes = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    ) -> bytes:
        """All that comes back."""
        with self.connected(server) as connection:
            connection.sendall(sent)
            return everything(connection)


def is_cut(connection: socket.socket) -> bool:
    """Whether nothing comes but the end."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def asked(connection: ssl.SSLSocket) -> bool:
    """Ask on a connection that is kept; whether it was answered."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    data = b""
    while not data.endswith(b"\r\n\r\n0"):
        more = connection.recv(4096)
        if not more:
            return False
        data += more
    return data.startswith(b"HTTP/1.1 200")


def eventually(holds: Callable[[], bool], seconds: float = 6) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def everything(connection: Any) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
    return data


def caller() -> Client:
    return Client(billing())
