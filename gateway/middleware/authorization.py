"""AuthorizationMiddleware: extract, decide, and pass on or deny; what is open stays open only while it is allowed."""

import asyncio
from typing import Any

from gateway.middleware.authorizer import Authorizer
from gateway.middleware.denial import send_denial
from gateway.middleware.open_requests import OpenRequests
from gateway.middleware.passed import scope_from_verdict
from gateway.middleware.presented import Scope
from runtime.check import Waiting

ASGIApp = Any

_JUDGED = frozenset({"http", "websocket"})


class AuthorizationMiddleware:
    """Plain ASGI, for HTTP and WebSocket, under servers that run on asyncio. Put it outermost."""

    def __init__(self, app: ASGIApp, authorizer: Authorizer) -> None:
        self._app = app
        self._authorizer = authorizer
        self._open: OpenRequests | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI. Whatever is neither HTTP nor WebSocket has no route, and passes only if it is the lifespan."""
        kind = scope["type"]
        if kind not in _JUDGED:
            if kind != "lifespan":
                raise RuntimeError(f"a scope of type {kind!r} cannot be authorized")
            await self._app(scope, receive, send)
            return
        verdict = self._authorizer.attempt(scope)
        if isinstance(verdict, Waiting):
            await verdict.answered()
            verdict = verdict.verdict()
        judgement, _, _, _, _, request = verdict
        if not judgement.permitted:
            await send_denial(scope, send, judgement)
            return
        passed = scope_from_verdict(scope, verdict)
        if request is None:
            await self._app(passed, receive, send)
            return
        # From here on: run the application until it is done, or the request is no longer allowed.
        loop, requests = asyncio.get_running_loop(), self._open
        if requests is None or requests.loop is not loop:
            # Those of the running event loop.
            requests = self._open = OpenRequests(self._authorizer.judge, self._authorizer.clock)
        answer = requests.opened(request, scope, send)
        try:
            await self._app(passed, receive, answer.send)
        except asyncio.CancelledError:
            if answer.was_cancelled_by_others():
                raise
            await answer.cut()
        else:
            # An application may take its interruption for something else, and end as if nothing had happened.
            if answer.denied is not None and not answer.was_cancelled_by_others():
                await answer.cut()
        finally:
            requests.discard(answer)
