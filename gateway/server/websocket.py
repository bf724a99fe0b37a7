"""WebSocket of one connection: uvicorn's protocol, with what it lacks.

Law: what ends the connection on our side is told to the application, and is no error of its own.
"""

import asyncio

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

from gateway.connection import END, TARGET
from gateway.server import limits
from gateway.server.attempt import Attempt
from gateway.server.bounds import Bounds
from gateway.server.told import facts_from_transport, told

#: RFC 6455 §7.4.1.
_MESSAGE_TOO_BIG = 1009
_INTERNAL_ERROR = 1011


class GatewayWebSocket(WSProtocol):
    """One connection after the upgrade."""

    bounds: Bounds
    attempt: Attempt

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        """Begin."""
        super().connection_made(transport)
        self._extensions = facts_from_transport(transport, self.attempt) | {END: self._end}
        self.client = self.attempt.source
        self._born = self.loop.time()
        self._aged = False
        self._unanswered: Ping | None = None

    def data_received(self, data: bytes) -> None:
        """The first are the head as it was received: the application is told its target."""
        if not self.handshake_complete and TARGET not in self._extensions:
            self._extensions[TARGET] = data.split(b" ", 2)[1]
            self.app = told(self.app, self._extensions)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self.attempt.ended()

    def handle_message(self, event: TextMessage | BytesMessage) -> None:
        """A part of a message; one that is too large closes the connection."""
        if self.buffer.length + _size(event) <= self.buffer.max_length:
            super().handle_message(event)
            return
        reason = f"A message has at most {self.buffer.max_length} bytes."
        self.buffer.clear()
        self.close_sent = True
        self._tell_application(_MESSAGE_TOO_BIG, reason)
        if self.transport.is_closing():
            return
        self.transport.write(self.conn.send(CloseConnection(code=_MESSAGE_TOO_BIG, reason=reason)))
        # The client may still be sending: if nobody read that, a reset would overtake the Close.
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(limits.CLOSE_SECONDS, self.transport.close)

    def keepalive_timeout(self) -> None:
        """The client is silent."""
        super().keepalive_timeout()
        if self.close_sent:
            self._tell_application(_INTERNAL_ERROR, "keepalive ping timeout")

    def _tell_application(self, code: int, reason: str) -> None:
        """That we have closed: what it sends from now on is of no use, but no error of its own."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.disconnected = True

    def handle_ping(self, event: Ping) -> None:
        """Answer; of the pings of a client that does not read only the last, once it does (RFC 6455 §5.5.3)."""
        if self.writable.is_set():
            super().handle_ping(event)
        else:
            self._unanswered = event

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        event, self._unanswered = self._unanswered, None
        if event is not None and self.conn.state is ConnectionState.OPEN:
            super().handle_ping(event)

    def look(self, now: float) -> None:
        """End what is too old; uvicorn pings a silent peer and ends it."""
        if not self._aged and now - self._born > self.bounds.max_age_seconds:
            self._aged = True
            self.shutdown()

    def _end(self) -> None:
        """End it soon: uvicorn waits ten seconds for the client's own Close."""
        self.loop.call_later(limits.END_SECONDS, self.transport.abort)


def _size(event: TextMessage | BytesMessage) -> int:
    """Bytes on the wire."""
    data = event.data
    return len(data.encode()) if isinstance(data, str) else len(data)
