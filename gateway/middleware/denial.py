"""Convert: a denial -> ASGI messages, for HTTP and for a WebSocket that is not accepted."""

from collections.abc import Mapping
from typing import Any

from gateway.middleware.presented import Scope
from runtime.denial import answer_from_denial
from runtime.judge import Judgement

#: RFC 6455 §7.4.1: a policy forbids it.
POLICY_VIOLATION = 1008
#: https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
_DENIAL_RESPONSE = "websocket.http.response"


async def send_denial(scope: Scope, send: Any, judgement: Judgement) -> None:
    """Answer with the reason and the decision's id. A server that cannot refuse a WebSocket with a body sends 403."""
    prefix = "http.response"
    if scope["type"] == "websocket":
        extensions = scope.get("extensions")
        if not isinstance(extensions, Mapping) or _DENIAL_RESPONSE not in extensions:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": judgement.decision.reason.value})
            return
        prefix = _DENIAL_RESPONSE
    status, headers, body = answer_from_denial(judgement)
    raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": f"{prefix}.start", "status": status, "headers": raw_headers})
    await send({"type": f"{prefix}.body", "body": body})
