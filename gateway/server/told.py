"""What an application is told of its connection, as `gateway.connection` says."""

import asyncio
from typing import Any, cast

from uvicorn._types import ASGI3Application

from gateway.connection import CONNECTION, TLS, Told
from gateway.server.attempt import Attempt
from gateway.server.tls_context import Handshake

Extensions = dict[str, Any]


def facts_from_transport(transport: asyncio.Transport, attempt: Attempt) -> Extensions:
    """Extensions of the scopes of this connection."""
    handshake = cast("Handshake | None", transport.get_extra_info("ssl_object"))
    if handshake is None:
        return {CONNECTION: Told(source=attempt.source)}
    facts = Told(sni=attempt.sni, source=attempt.source)
    return {TLS: Told(handshake.context.extension(handshake)), CONNECTION: facts}


def told(app: ASGI3Application, extensions: Extensions) -> ASGI3Application:
    """`app`, told of the connection: uvicorn makes the scope of a WebSocket where nothing can be added."""

    async def knowing(scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), **extensions}
        await app(scope, receive, send)

    return cast("ASGI3Application", knowing)
