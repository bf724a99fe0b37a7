"""A client of HTTP/1.1 that is faster than the servers it loads: prepared bytes out, a look at the status line in.

One request is under way on a connection, as Envoy does it.
"""

import socket
import ssl
from collections.abc import Sequence

_READ_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_OK = b"HTTP/1.1 200"
_NO_BODY = b"content-length: 0\r\n"


class Http1Connection:
    """One connection on a blocking socket. Wanted is an answer of status 200, which must have no body."""

    def __init__(self, connection: socket.socket, requests: Sequence[bytes]) -> None:
        self._socket = connection
        self._requests = requests
        self._sent = 0
        self._buffer = b""
        self.is_idle = True
        self.wanted = 0
        self.unwanted = 0

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._socket.fileno()

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def fill(self) -> None:
        """Send a request, unless one is under way."""
        if self.is_idle:
            self._socket.sendall(self._requests[self._sent % len(self._requests)])
            self._sent += 1
            self.is_idle = False

    def read(self) -> None:
        """Take in what has arrived, and count the answer. Raises ConnectionError."""
        data = self._socket.recv(_READ_BYTES)
        while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            # What TLS has read already wakes no selector.
            data += self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data
        if _HEAD_END not in self._buffer:
            return
        if self._buffer.startswith(_OK):
            if not self._buffer.endswith(_HEAD_END) or _NO_BODY not in self._buffer.lower():
                raise ConnectionError(f"an answer with a body: {self._buffer[:200]!r}")
            self.wanted += 1
        else:
            # What is left of a body would be taken for the next answer.
            raise ConnectionError(f"an answer that is not 200: {self._buffer[:400]!r}")
        self._buffer = b""
        self.is_idle = True
