"""An upstream that tells what reached it: the exact request line and headers, as JSON.

It reads bytes and interprets nothing, so that what Envoy forwarded can be compared with what was sent.
"""

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_HEAD_END = b"\r\n\r\n"
_READ_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came off the wire; bytes are kept as Latin-1 text, one character each."""

    line: str
    headers: tuple[tuple[str, str], ...]

    @property
    def method(self) -> str:
        """The method of the request line."""
        return self.line.split(" ", 1)[0]

    @property
    def target(self) -> str:
        """The target of the request line, byte for byte."""
        return self.line.split(" ", 1)[1].rsplit(" ", 1)[0]

    def values(self, name: str) -> list[str]:
        """Every value of a header, whatever the case of its name, with `_` taken for `-` as CGI frameworks do."""
        wanted = name.lower().replace("_", "-")
        return [value for key, value in self.headers if key.lower().replace("_", "-") == wanted]


class EchoUpstream:
    """A threaded HTTP/1.1 server on 127.0.0.1 that answers every request 200 with what it received."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: set[socket.socket] = set()
        self._closing = False
        self.received: list[Received] = []
        self._thread = threading.Thread(target=self._accept, name="upstream", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def close(self) -> None:
        """Stop listening and end every connection."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._closing:
                connection.close()
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="upstream connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                buffered = b""
                while (read := _read_head(connection, buffered)) is not None:
                    head, buffered = read
                    received = received_from_head(head)
                    buffered = _skip_body(connection, buffered, received)
                    self.received.append(received)
                    connection.sendall(_answer(received))
        except OSError:
            pass  # the client went away, or close() was called
        finally:
            self._connections.discard(connection)


def received_from_head(head: bytes) -> Received:
    """The request line and headers of a request head without its last empty line."""
    line, *fields = head.decode("latin-1").split("\r\n")
    pairs = (field.partition(":") for field in fields)
    return Received(line, tuple((name, value.strip(" \t")) for name, _, value in pairs))


def _read_head(connection: socket.socket, buffered: bytes) -> tuple[bytes, bytes] | None:
    while _HEAD_END not in buffered:
        more = connection.recv(_READ_BYTES)
        if not more:
            return None
        buffered += more
    head, _, rest = buffered.partition(_HEAD_END)
    return head, rest


def _skip_body(connection: socket.socket, buffered: bytes, received: Received) -> bytes:
    """Read and drop the body; what follows it is returned. Envoy sends a length or chunks, never both."""
    if received.values("transfer-encoding"):
        while b"0\r\n\r\n" not in buffered:
            buffered += _more(connection)
        return buffered.partition(b"0\r\n\r\n")[2]
    length = int((received.values("content-length") or ["0"])[0])
    while len(buffered) < length:
        buffered += _more(connection)
    return buffered[length:]


def _more(connection: socket.socket) -> bytes:
    more = connection.recv(_READ_BYTES)
    if not more:
        raise ConnectionResetError("the request ended within its body")
    return more


def _answer(received: Received) -> bytes:
    body = json.dumps({"line": received.line, "headers": received.headers}).encode() + b"\n"
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if received.method == "HEAD" else body)
