"""HTTP/1.1 for questions: uvicorn's protocol, answering at once.

An answer waits for nothing, so no task is made for it, and answers come in the order of the questions. The exception is
the first answer of an OCSP responder: until it is there, nothing more is read from the connection. The application is
shown the request target as it was received. What does not end is cut: a head by size and time, a silent connection
by time; uvicorn has no bounds for heads.
"""

import asyncio
from collections import deque
from typing import Any, NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from extauth import limits
from extauth.http_request import RAW_TARGET, Scope
from runtime.check import Waiting

_BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_HEAD_END = b"\r\n\r\n"


class AnswersAtOnce(Protocol):
    """An application that need not be awaited, or not often."""

    def answer(self, scope: Scope) -> bytes | Waiting:
        """The whole answer to a request, as it goes over the wire, or what it waits for."""
        ...

    def written(self, waiting: Waiting) -> bytes:
        """The whole answer after it has waited."""
        ...


class _Question(NamedTuple):
    """One request. `bare`: without body; `last`: the connection ends after the answer."""

    scope: Scope
    bare: bool
    last: bool


class CheckProtocol(HttpToolsProtocol):
    """One connection. `app` of its configuration must answer at once."""

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        """Begin, and look after the connection's deadlines."""
        super().connection_made(transport)
        self._unfinished = 0
        self._held: deque[_Question] = deque()
        self._waiting: asyncio.Task[None] | None = None
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
        question = _Question(scope, method == "HEAD", parser.should_upgrade() or not parser.should_keep_alive())
        if self._waiting is not None:
            self._held.append(question)
            return
        answer = self.app.answer(scope)
        if isinstance(answer, bytes):
            self._write(answer, question)
        else:
            transport.pause_reading()
            self._waiting = self.loop.create_task(self._answer_later(answer, question))

    async def _answer_later(self, waiting: Waiting, question: _Question) -> None:
        """Answer what waits, and then what came with it, in order."""
        await waiting.answered()
        self._write(self.app.written(waiting), question)
        while self._held and not self.transport.is_closing():
            question = self._held.popleft()
            answer = self.app.answer(question.scope)
            if not isinstance(answer, bytes):
                await answer.answered()
                answer = self.app.written(answer)
            self._write(answer, question)
        self._waiting = None
        self._since = self.loop.time()
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def _write(self, answer: bytes, question: _Question) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(answer[: answer.index(_HEAD_END) + len(_HEAD_END)] if question.bare else answer)
        if question.last:
            self.transport.close()

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
