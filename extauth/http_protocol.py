"""HTTP/1.1 for questions: uvicorn's protocol, answering at once.

An answer waits for nothing, so no task is made for it, and answers come in the order of the questions. The application
is shown the request target as it was received. What does not end is cut: a head by size and time, a silent connection
by time; uvicorn has no bounds for heads.
"""

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from extauth import limits
from extauth.http_request import RAW_TARGET, Scope

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_HEAD_END = b"\r\n\r\n"


class AnswersAtOnce(Protocol):
    """An application that need not be awaited."""

    def answer(self, scope: Scope) -> bytes:
        """The whole answer to a request, as it goes over the wire."""
        ...


class CheckProtocol(HttpToolsProtocol):
    """One connection. `app` of its configuration must answer at once."""

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        """Begin, and look after the connection's deadlines."""
        super().connection_made(transport)
        self._unfinished = 0
        self._since = self.loop.time()
        self._watch = self.loop.call_later(limits.HTTP_WATCH_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless this is more of a head than any Envoy sends."""
        if not self._unfinished:
            self._since = self.loop.time()
        self._unfinished += len(data)
        if self._unfinished > limits.MAX_HEAD_BYTES:
            self.send_400_response("The request head is too large.")
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A new head."""
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep it as it came."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Answer. A body that may follow is skipped."""
        self._unfinished = 0
        parser, transport = self.parser, self.transport
        if transport.is_closing():
            return
        if len(self.connections) > limits.MAX_HTTP_CONNECTIONS:
            transport.write(_BUSY)
            transport.close()
            return
        method = parser.get_method().decode("ascii")
        scope = {"type": "http", "client": self.client, "method": method, "headers": self.headers, RAW_TARGET: self.url}
        answer = self.app.answer(scope)
        transport.write(answer[: answer.index(_HEAD_END) + len(_HEAD_END)] if method == "HEAD" else answer)
        if parser.should_upgrade() or not parser.should_keep_alive():
            transport.close()

    def on_body(self, body: bytes) -> None:
        """Body bytes are no head, and nobody's business."""
        self._unfinished = 0

    def on_message_complete(self) -> None:
        """The question was answered when its head was complete."""

    def shutdown(self) -> None:
        """The server ends: nothing is in flight."""
        self.transport.close()

    def _look(self) -> None:
        """Close what has been waiting for too long."""
        bound = limits.HEAD_SECONDS if self._unfinished else limits.HTTP_IDLE_SECONDS
        if self.loop.time() - self._since > bound:
            self.transport.close()
        else:
            self._watch = self.loop.call_later(limits.HTTP_WATCH_SECONDS, self._look)
