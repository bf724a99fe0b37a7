"""AuthorizationMiddleware: extract, decide, and pass on or deny; what is open stays open only while it is allowed."""

import asyncio
from typing import Any

from gateway.middleware.authorizer import Authorizer
from gateway.middleware.denial import POLICY_VIOLATION, send_denial
from gateway.middleware.open_requests import OpenRequest, OpenRequests
from gateway.middleware.passed import scope_from_verdict
from gateway.middleware.presented import Scope
from policies.engine.request import Request

ASGIApp = Any

_ENDS = frozenset({"http.response.body", "websocket.close"})


class AuthorizationMiddleware:
    """Plain ASGI, for HTTP and WebSocket, under servers that run on asyncio. Put it outermost."""

    def __init__(self, app: ASGIApp, authorizer: Authorizer) -> None:
        self._app = app
        self._authorizer = authorizer
        self._open: OpenRequests | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI. Whatever is neither HTTP nor WebSocket has no route, and passes only if it is the lifespan."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise RuntimeError(f"a scope of type {scope['type']!r} cannot be authorized")
        verdict = await self._authorizer.verdict(scope)
        if not verdict.judgement.permitted:
            await send_denial(scope, send, verdict.judgement)
            return
        passed = scope_from_verdict(scope, verdict)
        if verdict.request is None:
            await self._app(passed, receive, send)
        else:
            await self._while_allowed(verdict.request, passed, receive, send)

    async def _while_allowed(self, request: Request, scope: Scope, receive: Any, send: Any) -> None:
        """Run the application until it is done, or the request is no longer allowed."""
        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            self._open = OpenRequests(self._authorizer.judge, self._authorizer.clock)
        requests = self._open
        answer = _Answer(request, send)
        requests.add(answer)
        try:
            await self._app(scope, receive, answer.send)
        except asyncio.CancelledError:
            if answer.was_cancelled_by_others():
                raise
            await answer.cut(scope)
        else:
            # An application may take its interruption for something else, and end as if nothing had happened.
            if answer.denied is not None and not answer.was_cancelled_by_others():
                await answer.cut(scope)
        finally:
            requests.discard(answer)


class _Answer(OpenRequest):
    """The answer of the application, which may be cut."""

    __slots__ = ("_begun", "_done", "_send")

    def __init__(self, request: Request, send: Any) -> None:
        super().__init__(request)
        self._send = send
        self._begun = self._done = False

    async def send(self, message: dict[str, Any]) -> None:
        """Pass it on, unless the request is over."""
        if self.denied is not None:
            raise OSError("the request is no longer allowed")
        self._begun = True
        if message["type"] in _ENDS and not message.get("more_body"):
            self._done = True
        await self._send(message)

    async def cut(self, scope: Scope) -> None:
        """End what is open. An HTTP answer that has begun stays incomplete, so the server closes the connection."""
        if self._done or self.denied is None:
            return
        if not self._begun:
            await send_denial(scope, self._send, self.denied)
        elif scope["type"] == "websocket":
            reason = self.denied.decision.reason.value
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})
