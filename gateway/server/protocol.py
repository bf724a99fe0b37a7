"""HTTP/1.1 of one connection: uvicorn's protocol, with what it lacks; `websocket` is the other.

Laws: a request is handed on only when its head is whole and within its bounds; whatever is odd about it ends the
connection, as what follows could be read in two ways. Trailers never become headers. The application is told of the
connection as `gateway.connection` says. No phase in which the client is waited for is without a deadline.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.connection import END, TARGET
from gateway.server import limits
from gateway.server.attempt import Attempt
from gateway.server.bounds import Bounds
from gateway.server.pace import Pace
from gateway.server.told import Extensions, facts_from_transport
from gateway.server.until_close import until_close
from gateway.server.websocket import GatewayWebSocket


class _RefusedError(Exception):
    """Ends the parsing of what a client sent."""


class GatewayHttp(HttpToolsProtocol):
    """One connection until it ends or becomes a WebSocket. `bounds`: set by `protocols`."""

    bounds: Bounds
    attempt: Attempt

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself has it
        """Begin."""
        super().connection_made(transport)
        self._extensions = facts_from_transport(transport, self.attempt) | {END: self._end}
        self.client = self.attempt.source
        self._born = self._quiet_since = self.loop.time()
        self._head_since: float | None = self._born
        self._head_bytes = 0
        self._gathered = 0
        self._got_on = False
        self._in_head = True
        self._in_body = False
        self._body_bytes = 0
        self._body_pace = Pace(limits.BODY_WINDOW_SECONDS, limits.MIN_BODY_BYTES)
        self._unread_pace = Pace(limits.UNREAD_SECONDS, 1)
        self._answer: tuple[int, str] | None = None
        self._aged = False
        self._running: RequestResponseCycle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._abandon()
        self.attempt.ended()

    def eof_received(self) -> None:
        """The client sends no more; that ends the connection."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        """Parse, within the bound on what is no whole head yet."""
        if self.transport.is_closing():
            return
        self._quiet_since = now = self.loop.time()
        if self._head_since is None and not self._in_body and self._is_idle:
            # Blank lines before a request are part of the time that its head may take.
            self._head_since = now
        self._got_on = False
        super().data_received(data)
        # The parser gathers a header, a trailer or a chunk's extension until it is whole, however long that is.
        self._gathered = 0 if self._got_on else self._gathered + len(data)
        if self._gathered > limits.MAX_HEAD_BYTES:
            self._refuse_now(431, "The request head is too large.")

    def on_message_begin(self) -> None:
        """A new head."""
        super().on_message_begin()
        self._in_head = self._got_on = True
        self._head_bytes = 0
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A part of the request target."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; or a trailer, which nobody is shown."""
        self._count_head(len(name) + len(value))
        if self._in_head:
            # Blanks around a value are no part of it (RFC 9110 §5.5); the parser leaves those after it.
            super().on_header(name, value.rstrip(b" \t"))

    def on_headers_complete(self) -> None:
        """Check, then hand on."""
        self._check_head()
        self._in_head = False
        self._head_since = None
        self._got_on = self._in_body = True
        self._body_bytes = self._head_bytes = 0
        self._body_pace.restart(self.loop.time())
        target = bytes(self.url)
        extensions: Extensions = {**self._extensions, TARGET: target}
        self.scope["extensions"] = extensions
        if self.parser.get_http_version() != "1.1":
            # RFC 9110 §10.1.1.
            self.expect_100_continue = False
        if self.parser.get_method() == b"CONNECT":
            self._hand_on_connect(target)
        else:
            super().on_headers_complete()

    def _hand_on_connect(self, target: bytes) -> None:
        """Uvicorn cannot read such a target; that it is refused is for the judge to say, and to record."""
        self.url = b"/"
        super().on_headers_complete()
        self.scope["raw_path"], self.scope["path"] = target, target.decode("latin-1")
        self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._got_on = True
        self._body_bytes += len(body)
        if self._body_bytes > self.bounds.max_body_bytes:
            self._refuse(413, "The request body is too large.")
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is whole."""
        self._in_body = False
        self._got_on = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is given."""
        self._quiet_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be read, unless that would write into another answer."""
        status, message = self._answer or (400, msg)
        self._head_since = None
        if not self._is_idle and not self._gave_up():
            self._abandon()
            self._leave()
            return
        body = f"{message}\n".encode("ascii")
        head = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over."""
        self._in_body = False
        kind = cast("type[GatewayWebSocket]", self.ws_protocol_class)
        self.ws_protocol_class = cast("type[asyncio.Protocol]", partial(_heir, kind, self.attempt))
        super().handle_websocket_upgrade()
        if self.flow.write_paused:
            # The transport says so once, and it has said it to us.
            cast("GatewayWebSocket", self.transport.get_protocol()).pause_writing()

    def look(self, now: float) -> None:
        """End what took too long. Called about every `LOOK_SECONDS`."""
        if self.transport.is_closing():
            return
        if not self._aged and now - self._born > self.bounds.max_age_seconds:
            self._aged = True
            self.shutdown()
        elif self.flow.write_paused:
            size = -self.transport.get_write_buffer_size()
            if self._unread_pace.is_too_slow(now, size):
                self.transport.abort()
            return
        self._unread_pace.restart(now)
        self._look_at_reading(now)

    def _look_at_reading(self, now: float) -> None:
        if self._head_since is not None:
            if now - self._head_since > limits.HEAD_SECONDS:
                self._refuse_now(408, "The request head took too long.")
        elif self._in_body:
            waiting = self.cycle is not None and self.cycle.waiting_for_100_continue
            if self.flow.read_paused or waiting:
                self._body_pace.restart(now, self._body_bytes)
            elif self._body_pace.is_too_slow(now, self._body_bytes):
                self._refuse_now(408, "The request body took too long.")
        elif self._is_idle and now - self._quiet_since > self.bounds.idle_seconds:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        if cycle.scope["http_version"] != "1.1":
            cycle.keep_alive = False
            app = until_close(app, cycle, self.attempt)
        super()._start_asgi_task(cycle, app)

    def _leave(self) -> None:
        """End the connection, once what was written is sent: unless what was written would then look whole."""
        if self.attempt.ends_in_reset:
            self.transport.abort()
        else:
            self.transport.close()

    def _abandon(self) -> None:
        """Tell the application that nobody takes its answer: uvicorn tells only who has the last of the requests."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def _end(self) -> None:
        """End it soon, whatever the client does."""
        self.loop.call_later(limits.END_SECONDS, self.transport.abort)

    @property
    def _is_idle(self) -> bool:
        """Whether no answer is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _check_head(self) -> None:
        parser = self.parser
        if len(self.headers) > limits.MAX_HEADERS:
            self._refuse(431, f"The request has more than {limits.MAX_HEADERS} headers.")
        if parser.should_upgrade() and parser.get_method() != b"CONNECT" and not self._should_upgrade():
            self._refuse(400, "This is no server for that protocol.")
        if parser.should_upgrade() and parser.get_http_version() != "1.1":
            self._refuse(400, "An upgrade needs HTTP/1.1.")
        if parser.should_upgrade() and self._should_upgrade() and not self._is_idle:
            # Nobody would hold back the answer under way any more while the client does not read.
            self._refuse(400, "An upgrade has to wait for the answer before it.")
        for name, value in self.headers:
            if name == b"content-length" and len(value) < 20 and int(value) > self.bounds.max_body_bytes:
                self._refuse(413, "The request body is too large.")

    def _count_head(self, size: int) -> None:
        self._got_on = True
        self._head_bytes += size
        if self._head_bytes > limits.MAX_HEAD_BYTES:
            self._refuse(431, "The request head is too large.")

    def _refuse(self, status: int, message: str) -> None:
        """Refuse from within the parser."""
        self._answer = status, message
        raise _RefusedError

    def _refuse_now(self, status: int, message: str) -> None:
        """Refuse from outside of the parser."""
        self._answer = status, message
        self.send_400_response(message)

    def _gave_up(self) -> bool:
        """Give up the answer under way, if it is the one to what is refused, and has not begun."""
        if self._in_head or self.pipeline or self.cycle.response_started:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return True


def protocols(bounds: Bounds) -> tuple[type[GatewayHttp], type[GatewayWebSocket]]:
    """The two protocols of one listener."""
    facts = {"bounds": bounds}
    return type("BoundHttp", (GatewayHttp,), facts), type("BoundWebSocket", (GatewayWebSocket,), facts)


def _heir(kind: Callable[..., GatewayWebSocket], attempt: Attempt, **facts: Any) -> GatewayWebSocket:
    """The protocol that takes over a connection: uvicorn hands it nothing of ours."""
    protocol = kind(**facts)
    protocol.attempt = attempt
    return protocol
