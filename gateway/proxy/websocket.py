"""A WebSocket through the proxy: opened at the upstream first, then messages go both ways until one side closes."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import aiohttp

from gateway.middleware.presented import Scope
from gateway.proxy.client import UpstreamClient
from gateway.proxy.errors import LostError, ProxyError, SlowError, UnreachableError
from gateway.proxy.forwarded_headers import client_headers
from gateway.proxy.limits import CLOSE_SECONDS, MAX_MESSAGE_BYTES
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.upstream import Upstream

#: RFC 6455 §7.4.1.
_NORMAL = 1000
#: Codes that no endpoint may send.
_NEVER_SENT = frozenset({1005, 1006, 1015})
_ANSWER = "websocket.http.response"


async def forward_websocket(
    client: UpstreamClient, upstream: Upstream, outgoing: Outgoing, scope: Scope, receive: Any, send: Any
) -> None:
    """Forward until it is closed. Raises ProxyError if it was not opened, or was lost."""
    await receive()
    try:
        opened = await _opened(client, upstream, outgoing, tuple(scope.get("subprotocols", ())))
    except aiohttp.WSServerHandshakeError as error:
        await _refuse(scope, error, send)
        return
    async with opened:
        await send({"type": "websocket.accept", "subprotocol": opened.protocol})
        relay = _Relay(opened, client.read_seconds, receive, send)
        to_upstream = asyncio.ensure_future(relay.from_client())
        to_client = asyncio.ensure_future(relay.from_upstream())
        try:
            await asyncio.wait({to_upstream, to_client}, return_when=asyncio.FIRST_COMPLETED)
            if to_client.done():
                await to_client
            elif relay.stuck is not None:
                raise relay.stuck
            if relay.is_client_gone:
                await asyncio.wait({to_upstream}, timeout=CLOSE_SECONDS)
        finally:
            to_upstream.cancel()
            to_client.cancel()
            await asyncio.gather(to_upstream, to_client, return_exceptions=True)


async def _opened(
    client: UpstreamClient, upstream: Upstream, outgoing: Outgoing, protocols: tuple[str, ...]
) -> aiohttp.ClientWebSocketResponse:
    own = (b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-extensions", b"sec-websocket-protocol")
    headers = [(name, value) for name, value in outgoing.headers if name.lower() not in own]
    outgoing = Outgoing(outgoing.method, outgoing.target, outgoing.host, headers, has_body=False)
    last: ProxyError | None = None
    for endpoint in upstream.attempts():
        try:
            return await client.websocket(endpoint.destination, outgoing, protocols)
        except UnreachableError as error:
            endpoint.failed()
            last = error
    raise last or UnreachableError("the upstream has no endpoint")


async def _refuse(scope: Scope, error: aiohttp.WSServerHandshakeError, send: Any) -> None:
    """The upstream's own refusal, where the server can pass it on."""
    if _ANSWER not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": _NORMAL})
        return
    raw = [(name.encode(), value.encode()) for name, value in (error.headers or {}).items()]
    headers = [(name, value) for name, value in client_headers(raw) if name != b"content-length"]
    status = error.status if error.status >= 300 else 502
    await send({"type": f"{_ANSWER}.start", "status": status, "headers": [*headers, (b"content-length", b"0")]})
    await send({"type": f"{_ANSWER}.body", "body": b""})


class _Relay:
    """Two open WebSockets. `stuck`: the upstream has left a message for too long. `is_client_gone`: it has closed."""

    def __init__(self, opened: aiohttp.ClientWebSocketResponse, take_seconds: float, receive: Any, send: Any) -> None:
        """`take_seconds`: for which the upstream may leave a message."""
        self._opened = opened
        self._take_seconds = take_seconds
        self._receive = receive
        self._send = send
        self.is_client_gone = False
        self.stuck: SlowError | None = None

    async def from_client(self) -> None:
        """Pass on what the client sends, its Close as well. Raises SlowError if the upstream does not take it."""
        opened = self._opened
        while (message := await self._receive())["type"] != "websocket.disconnect":
            if (text := message.get("text")) is not None:
                await self._taken(opened.send_str(text))
            else:
                await self._taken(opened.send_bytes(message.get("bytes") or b""))
        self.is_client_gone = True
        await opened.close(code=_sendable(message.get("code")))

    async def _taken(self, sending: Coroutine[Any, Any, None]) -> None:
        """Wait as long as the upstream takes something. Raises SlowError."""
        sent = asyncio.ensure_future(sending)
        try:
            # Now all of it is written that fits.
            await asyncio.sleep(0)
            while not sent.done():
                left = self._left()
                await asyncio.wait({sent}, timeout=self._take_seconds)
                if not sent.done() and self._left() >= left:
                    # At once: a Close would wait for the upstream, too. No public way, so a test sees to it.
                    self._opened._response.close()
                    self.stuck = SlowError(f"the upstream took nothing of a WebSocket for {self._take_seconds:g} s")
                    raise self.stuck
            await sent
        finally:
            sent.cancel()

    def _left(self) -> int:
        """Bytes that the upstream has not taken yet, less what the kernel holds."""
        connection = self._opened._response.connection
        transport = None if connection is None else connection.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    async def from_upstream(self) -> None:
        """Pass on what the upstream sends, its Close as well. Raises ProxyError if it ends without."""
        while True:
            message = await self._opened.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                await self._tell({"type": "websocket.send", "text": message.data})
            elif message.type is aiohttp.WSMsgType.BINARY:
                await self._tell({"type": "websocket.send", "bytes": message.data})
            elif self.is_client_gone:
                return
            elif message.type is aiohttp.WSMsgType.CLOSE:
                await self._tell({"type": "websocket.close", "code": _sendable(self._opened.close_code)})
                return
            else:
                raise self.stuck or LostError(_why_lost(message))

    async def _tell(self, message: dict[str, Any]) -> None:
        """Tell the client. One that is gone is told nothing: `from_client` hears of it, and passes on how it closed."""
        with suppress(OSError):
            await self._send(message)


def _why_lost(message: aiohttp.WSMessage) -> str:
    error = message.data
    if isinstance(error, aiohttp.WebSocketError) and error.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return f"the upstream sent a WebSocket message of more than {MAX_MESSAGE_BYTES} bytes"
    return f"the upstream ended a WebSocket without closing it: {error or 'the connection is lost'}"


def _sendable(code: int | None) -> int:
    return _NORMAL if code is None or code in _NEVER_SENT else code
