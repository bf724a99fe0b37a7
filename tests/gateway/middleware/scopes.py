"""ASGI scopes as servers make them, and an application that notes what reaches it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.connection import CONNECTION, TLS
from gateway.middleware import Authorizer
from gateway.middleware.presented import Scope
from pki.authority import Issued
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics
from tests.extauth.world import policy

Message = dict[str, Any]


def pems(issued: Issued) -> tuple[str, ...]:
    """The leaf and what is above it, as the TLS extension has it."""
    text = issued.chain_pem.decode()
    end = "-----END CERTIFICATE-----\n"
    return tuple(block + end for block in text.split(end) if block.strip())


def http_scope(
    issued: Issued | None = None,
    *,
    method: str = "GET",
    path: str = "/v1/invoices",
    raw_path: bytes | None = None,
    query: bytes = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    host: bytes | None = b"invoices.example",
    sni: str | None = None,
) -> Scope:
    hosts = [] if host is None else [(b"host", host)]
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": query,
        "headers": [*hosts, *headers],
        "client": ("192.0.2.7", 4242),
        "extensions": {
            TLS: {"client_cert_chain": () if issued is None else pems(issued)},
            CONNECTION: {"sni": sni, "source": ("192.0.2.7", 4242)},
        },
    }


def websocket_scope(issued: Issued | None = None, *, denial_response: bool = False) -> Scope:
    scope: Scope = {**http_scope(issued), "type": "websocket", "scheme": "wss"}
    del scope["method"]
    if denial_response:
        scope["extensions"]["websocket.http.response"] = {}
    return scope


class Application:
    """Answers 200, and keeps the scopes that reached it."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})

    def values(self, name: bytes) -> list[bytes]:
        (scope,) = self.scopes
        return [value for key, value in scope["headers"] if key == name]


class Switch:
    """A policy in force that the test sets, and a clock."""

    def __init__(self, current: PolicySet | None = None) -> None:
        self.current = policy() if current is None else current
        self.now = 0.0


def authorizer(current: PolicySet | None = None, *, observe: bool = False, without_policy: bool = False) -> Authorizer:
    live = FixedPolicy(None if without_policy else current or policy())
    return Authorizer(Judge(live, Metrics(), None, Enforcement.GATEWAY, observe=observe))


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


def asked(app: Any, scope: Scope) -> list[Message]:
    """What `app` sends on `scope`."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def run() -> None:
        await asyncio.wait_for(app(scope, never, send), 10)

    asyncio.run(run())
    return sent
