"""An upstream that keeps every byte it receives, and answers each request as the test says."""

import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Answer = Callable[[socket.socket, bytes], None]


def answering(answer: bytes) -> Answer:
    def write(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(answer)

    return write


class RecordingUpstream:
    """A context manager. `received`: the bytes of each connection; `heads`: of each request head in them."""

    def __init__(self, answer: Answer | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer or answering(OK)
        self.received: list[bytearray] = []
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def heads(self) -> list[bytes]:
        """Every request head, if bodies have no blank lines."""
        return [head for data in self.received for head in bytes(data).split(b"\r\n\r\n") if b" HTTP/1.1" in head]

    def headers(self) -> dict[str, list[str]]:
        """The headers of the one request that came, by lower-case name with `_` for `-`, as CGI reads them."""
        (head,) = self.heads
        found: dict[str, list[str]] = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            found.setdefault(name.lower().replace("_", "-"), []).append(value.strip(" \t"))
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in list(self._open):
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._requests(connection)
        except OSError:
            pass
        finally:
            connection.close()

    def _requests(self, connection: socket.socket) -> None:
        received = bytearray()
        self.received.append(received)
        seen = 0
        while more := connection.recv(65536):
            received += more
            while (end := received.find(b"\r\n\r\n", seen)) >= 0:
                head = bytes(received[seen:end])
                seen = end + 4
                if b" HTTP/1.1" in head.partition(b"\r\n")[0]:
                    self.answer(connection, head)
