"""The HTTP form of ext_authz as a plain ASGI application: extract, decide, convert.

An answer of 200 permits; its `x-peergate-*` and rule headers reach the upstream if Envoy's `allowed_upstream_headers`
lists them, and `x-envoy-auth-headers-to-remove` names what Envoy removes. Headers of a family that Envoy does not show
us (`ssl-client-anything`) it must remove itself, as the configuration in deploy/envoy does.
"""

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from extauth.http_request import HttpReader, Scope
from extauth.stencil import Stencils
from runtime.check import Checks, Verdict, Waiting
from runtime.denial import answer_from_denial

HEADERS_TO_REMOVE = "x-envoy-auth-headers-to-remove"

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class HttpCheck:
    """Answers every HTTP request with the verdict on it; only the first answer of an OCSP responder is waited for."""

    def __init__(self, checks: Checks, reader: HttpReader, clock: Callable[[], float] = time.time) -> None:
        self._checks = checks
        self._reader = reader
        self._clock = clock
        self._answers = Stencils(wire_from_verdict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. A body is not read: Envoy sends none unless it is told to, and no rule speaks of it."""
        if scope["type"] != "http":
            raise RuntimeError(f"HTTP ext_authz answers requests, not {scope['type']}")
        verdict = self._attempt(scope)
        if isinstance(verdict, Waiting):
            await verdict.answered()
            verdict = verdict.verdict()
        status, headers, body = answer_from_verdict(verdict)
        raw_headers = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": body})

    def answer(self, scope: Scope) -> bytes | Waiting:
        """The same answer at once, as HTTP/1.1 has it on the wire, unless it is worth waiting; `written` writes it."""
        verdict = self._attempt(scope)
        return verdict if isinstance(verdict, Waiting) else self._answers.answer(verdict)

    def written(self, waiting: Waiting) -> bytes:
        """The answer to what has waited."""
        return self._answers.answer(waiting.verdict())

    def _attempt(self, scope: Scope) -> Verdict | Waiting:
        return self._checks.attempt(lambda policy: self._reader.received_from_scope(scope, policy, self._clock()))


def answer_from_verdict(verdict: Verdict) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """Status, headers and body; 200 only for what is permitted."""
    judgement = verdict.judgement
    if not judgement.permitted:
        return answer_from_denial(judgement)
    changes = verdict.changes
    removed = (HEADERS_TO_REMOVE, ",".join(changes.removed))
    return HTTPStatus.OK.value, (*changes.put, removed, ("content-length", "0")), b""


def wire_from_verdict(verdict: Verdict) -> bytes:
    """The answer as HTTP/1.1 has it on the wire (RFC 9112 §2.1)."""
    status, headers, body = answer_from_verdict(verdict)
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join((*lines, "", "")).encode() + body
