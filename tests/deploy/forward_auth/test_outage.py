"""A peergate that is not there, hangs, or answers anything but a whole 200: the real proxies take it as no."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import Answer, call, client_context, request_bytes
from runtime.address import Address, TcpAddress
from runtime.listener import listener_from_address
from tests.deploy.forward_auth.world import CONFIGURE, address_in, credentials
from tests.support.deployed_proxies import deployed

REQUEST = request_bytes("GET", b"/v1/a", [("Host", b"h.example"), ("Connection", b"close")])
ANSWERS = [
    b"",
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 421 Misdirected Request\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 431 Too Large\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
]
#: Seconds after which a proxy with deploy/'s timeouts gives up, with room for a busy machine.
GIVEN_UP = 8.0


class Impostor:
    """Answers every question with the same bytes; None never answers."""

    def __init__(self, address: Address) -> None:
        self.answer: bytes | None = b""
        self._listener = listener_from_address(address)
        self._listener.setblocking(True)
        self._kept: list[socket.socket] = []
        place = self._listener.getsockname()
        self.address = TcpAddress(*place) if isinstance(place, tuple) else address
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for connection in self._kept:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self.answer is None:
                self._kept.append(connection)
                continue
            with connection:
                connection.recv(65536)
                connection.sendall(self.answer)
                connection.shutdown(socket.SHUT_WR)


@contextmanager
def answering(kind: Proxy, folder: Path) -> Iterator[tuple[Impostor, Callable[[], Answer]]]:
    (folder / "pki").mkdir()
    clients, _ = credentials(folder / "pki")
    impostor = Impostor(address_in(folder, kind))
    try:
        with deployed(CONFIGURE[kind], folder, impostor.address) as front:

            def ask() -> Answer:
                front.upstream.received.clear()
                context = client_context(front.server_ca, clients["billing"])
                answer = call(front.address, context, REQUEST, sni="h.example")
                assert front.upstream.received == []
                return answer

            yield impostor, ask
    finally:
        impostor.close()


@pytest.mark.parametrize("kind", CONFIGURE)
def test_whatever_is_no_whole_200_is_a_denial(kind: Proxy, tmp_path: Path) -> None:
    with answering(kind, tmp_path) as (impostor, ask):
        for answer in ANSWERS:
            impostor.answer = answer
            assert ask().status >= 300, answer


@pytest.mark.parametrize("kind", CONFIGURE)
def test_a_peergate_that_is_gone_or_hangs_is_a_denial(kind: Proxy, tmp_path: Path) -> None:
    with answering(kind, tmp_path) as (impostor, ask):
        if kind is not Proxy.TRAEFIK:
            # Traefik waits 30 s, whatever it is told.
            impostor.answer, began = None, monotonic()
            assert ask().status >= 500
            assert monotonic() - began < GIVEN_UP
        impostor.close()
        assert ask().status >= 500
