"""PeerMiddleware: scope -> Presented peer, for what only wants to see who is there."""

from typing import Any

from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope, presented_from_scope
from policies.peer.reader import PresentedReader

ASGIApp = Any


class PeerMiddleware:
    """Puts the presented certificate into `scope["peergate"]`. It decides nothing and verifies nothing."""

    def __init__(self, app: ASGIApp, reader: PresentedReader | None = None) -> None:
        self._app = app
        self._reader = PresentedReader() if reader is None else reader

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] in {"http", "websocket"}:
            scope = {**scope, PEERGATE: Judged(presented_from_scope(self._reader, scope))}
        await self._app(scope, receive, send)
