"""Forward-auth as a plain ASGI application: extract, decide, convert.

200 permits, and its headers are those that the upstream is to be told; everything else denies. What else may come of a
question (no answer, a late one, a refused connection) is a denial, too: it is the proxy that has to take it so, and the
configurations in `deploy/` do.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from gateway.forward_auth.proxies import Asking
from gateway.forward_auth.request import QuestionReader
from gateway.middleware.presented import Scope
from runtime.check import Checks, Verdict, Waiting
from runtime.denial import answer_from_denial

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class ForwardAuth:
    """Answers every HTTP request, whatever its path, with the verdict on the request that it describes."""

    def __init__(
        self, checks: Checks, reader: QuestionReader, asking: Asking, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: seconds since the epoch."""
        self._checks = checks
        self._reader = reader
        self._asking = asking
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """ASGI. A body is not read: no rule speaks of it."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"forward-auth answers requests, not {scope['type']}")
        verdict = self._checks.attempt(lambda policy: self._reader.received_from_scope(scope, policy, self._clock()))
        if isinstance(verdict, Waiting):
            await verdict.answered()
            verdict = verdict.verdict()
        status, headers, body = answer_from_verdict(verdict, self._asking)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def answer_from_verdict(verdict: Verdict, asking: Asking) -> Answer:
    """Status, headers and body; 200 only for what is permitted."""
    if verdict.judgement.permitted:
        put = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in verdict.changes.put]
        return HTTPStatus.OK, [*put, (b"content-length", b"0")], b""
    status, headers, body = answer_from_denial(verdict.judgement)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return status if asking.tells_status else HTTPStatus.FORBIDDEN, raw, body


async def _live(receive: Any, send: Any) -> None:
    """ASGI's lifespan: there is nothing to start or to end."""
    while (message := await receive())["type"] != "lifespan.shutdown":
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
