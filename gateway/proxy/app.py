"""The reverse proxy as a plain ASGI application. Wrap it in AuthorizationMiddleware: it decides nothing itself."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope
from gateway.proxy import limits
from gateway.proxy.client import UpstreamClient
from gateway.proxy.destination import Destination
from gateway.proxy.errors import NoUpstreamError, ProxyError
from gateway.proxy.exchange import exchange
from gateway.proxy.forwarded_headers import CertificateHeaders
from gateway.proxy.outgoing import outgoing_from_scope
from gateway.proxy.upstream import UpstreamTable
from gateway.proxy.upstream_tls import UpstreamTls, UpstreamTlsFiles
from gateway.proxy.websocket import forward_websocket
from runtime.complaint import Complaint
from runtime.service_log import service_logger

_LOGGER = service_logger("proxy")
#: RFC 6455 §7.4.1: the server cannot go on.
_INTERNAL_ERROR = 1011
_CLIENT_CERT_ONLY = CertificateHeaders()


class ReverseProxy:
    """Forwards `http` and `websocket` scopes to their upstreams."""

    def __init__(
        self,
        destinations: Sequence[Destination],
        tls: UpstreamTlsFiles | None = None,
        *,
        told: CertificateHeaders = _CLIENT_CERT_ONLY,
        read_seconds: float = limits.READ_SECONDS,
    ) -> None:
        """`told`: what upstreams are told of a certificate. Raises ConfigurationError."""
        self._table = UpstreamTable(destinations)
        peers = frozenset(destination.peer for destination in destinations if destination.secure)
        self._tls = UpstreamTls(tls or UpstreamTlsFiles(), peers)
        self._told = told
        self._read_seconds = read_seconds
        self._client: UpstreamClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._complaint = Complaint()

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            await self._forward(scope, receive, send)
        except ProxyError as error:
            self._tell(scope, error)
            await _send_error(scope, error, send)

    async def _forward(self, scope: Scope, receive: Any, send: Any) -> None:
        outgoing = outgoing_from_scope(scope, self._told)
        upstream = self._table.upstream(outgoing.method, outgoing.target, outgoing.host)
        if upstream is None:
            raise NoUpstreamError(f"no --upstream is for the host {outgoing.host[:200]!r}")
        client = self._own_client()
        if scope["type"] == "websocket":
            await forward_websocket(client, upstream, outgoing, scope, receive, send)
        else:
            await exchange(client, upstream, outgoing, receive, send)

    def _own_client(self) -> UpstreamClient:
        """Connections belong to an event loop."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._client, self._loop = UpstreamClient(self._tls, read_seconds=self._read_seconds), loop
        return self._client

    def _tell(self, scope: Scope, error: ProxyError) -> None:
        if times := self._complaint.due():
            shown = str(error)[: limits.MAX_SHOWN_CHARS]
            facts = {"error": shown, "answer": error.word, "decision_id": _decision_id(scope), "times": times}
            _LOGGER.warning("an allowed request was not forwarded", extra={"facts": facts})

    async def _live(self, receive: Any, send: Any) -> None:
        """ASGI's lifespan: connections end with the server."""
        while (message := await receive())["type"] != "lifespan.shutdown":
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
        if self._client is not None:
            await self._client.close()
        await send({"type": "lifespan.shutdown.complete"})


def _decision_id(scope: Scope) -> str:
    judged = scope.get(PEERGATE)
    return (judged.decision_id if isinstance(judged, Judged) else None) or ""


async def _send_error(scope: Scope, error: ProxyError, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _INTERNAL_ERROR, "reason": error.word})
        return
    body = f'{{"error":"{error.word}","decision_id":"{_decision_id(scope)}"}}'.encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if error.status == 400:
        # What else is in this connection could be read in two ways, too.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
