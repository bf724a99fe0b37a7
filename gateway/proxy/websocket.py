"""A WebSocket through the proxy: opened at the upstream first, then messages go both ways until one side closes."""

import asyncio
from typing import Any

import aiohttp

from gateway.middleware.presented import Scope
from gateway.proxy.client import UpstreamClient
from gateway.proxy.errors import ProxyError, UnreachableError
from gateway.proxy.forwarded_headers import client_headers
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.upstream import Upstream

#: RFC 6455 §7.4.1.
_NORMAL = 1000
_INTERNAL_ERROR = 1011
#: Codes that no endpoint may send.
_NEVER_SENT = frozenset({1005, 1006, 1015})
_ANSWER = "websocket.http.response"


async def forward_websocket(
    client: UpstreamClient, upstream: Upstream, outgoing: Outgoing, scope: Scope, receive: Any, send: Any
) -> None:
    """Forward until it is closed. Raises ProxyError as long as it was not accepted."""
    await receive()
    try:
        opened = await _opened(client, upstream, outgoing, tuple(scope.get("subprotocols", ())))
    except aiohttp.WSServerHandshakeError as error:
        await _refuse(scope, error, send)
        return
    async with opened:
        await send({"type": "websocket.accept", "subprotocol": opened.protocol})
        to_upstream = asyncio.ensure_future(_from_client(opened, receive))
        to_client = asyncio.ensure_future(_from_upstream(opened, send))
        try:
            await asyncio.wait({to_upstream, to_client}, return_when=asyncio.FIRST_COMPLETED)
            if to_client.done():
                await to_client
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


async def _from_client(opened: aiohttp.ClientWebSocketResponse, receive: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            await opened.close(code=_sendable(message.get("code")))
            return
        if (text := message.get("text")) is not None:
            await opened.send_str(text)
        else:
            await opened.send_bytes(message.get("bytes") or b"")


async def _from_upstream(opened: aiohttp.ClientWebSocketResponse, send: Any) -> None:
    while True:
        message = await opened.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            await send({"type": "websocket.send", "text": message.data})
        elif message.type is aiohttp.WSMsgType.BINARY:
            await send({"type": "websocket.send", "bytes": message.data})
        else:
            broken = message.type is aiohttp.WSMsgType.ERROR
            code = _INTERNAL_ERROR if broken else _sendable(opened.close_code)
            await send({"type": "websocket.close", "code": code})
            return


def _sendable(code: int | None) -> int:
    return _NORMAL if code is None or code in _NEVER_SENT else code
