"""An answer whose end is the end of its connection: to a client older than HTTP/1.1 no chunks are sent (RFC 9112 §6.1).

Law: until such an answer is whole, its connection ends without TLS's close_notify, and up to its last part by a reset,
whatever ends it. Any other end would make what broke off look whole.
"""

from typing import Any

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.server.attempt import Attempt

#: Statuses of answers without a body (RFC 9112 §6.3).
_WITHOUT_BODY = (204, 304)


def until_close(app: ASGI3Application, cycle: RequestResponseCycle, attempt: Attempt) -> ASGI3Application:
    """`app`, for the request of `cycle`: an answer of no known length is sent as it is, and ends the connection."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, _unchunked(cycle, attempt, send))
        finally:
            if attempt.ends_in_reset:
                cycle.transport.abort()

    return answering


def _unchunked(cycle: RequestResponseCycle, attempt: Attempt, send: Any) -> Any:
    async def unchunked(message: Any) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() != b"transfer-encoding"]
            message = {**message, "headers": kept}
            if _is_unframed(cycle, message["status"], kept):
                cycle.chunked_encoding = False
                attempt.end_in_reset(True)
        elif attempt.ends_in_reset:
            # uvicorn counts down from it.
            cycle.expected_content_length = len(message.get("body", b""))
            if not message.get("more_body"):
                # What was sent before has left our buffers; the last part waits for nothing more.
                await cycle.flow.drain()
                attempt.end_in_reset(False)
        await send(message)

    return unchunked


def _is_unframed(cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]]) -> bool:
    if cycle.scope["method"] == "HEAD" or status in _WITHOUT_BODY:
        return False
    return all(name.lower() != b"content-length" for name, _ in headers)
