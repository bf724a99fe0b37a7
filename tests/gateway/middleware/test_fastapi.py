"""FastAPI: the middleware around an application, and the dependency of one route."""

import json
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket

from gateway.middleware import AuthorizationMiddleware, Judged, judged_from_scope, requires_identity
from gateway.middleware.presented import Scope
from tests.extauth.world import BILLING, billing, policy_of, tenant
from tests.gateway.middleware.scopes import Message, asked, authorizer, http_scope, websocket_scope

OPEN = """
version: 1
trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  tenant: {uri: "spiffe://acme.internal/tenant/*"}
rules:
  - {id: all, allow: [billing, tenant], to: {paths: ["/v1/**"]}}
"""

Billing = Annotated[Judged, Depends(requires_identity("billing"))]


def application() -> FastAPI:
    """Three lines of a user, and routes."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(AuthorizationMiddleware, authorizer=authorizer(policy_of(OPEN)))
    ledger = APIRouter(prefix="/v1/ledger", dependencies=[Depends(requires_identity("billing"))])

    @app.get("/v1/{name}")
    async def one(name: str, caller: Billing) -> dict[str, Any]:
        return {"name": name, "caller": caller.spiffe_id, "identities": caller.identities}

    @app.get("/v1/open/{name}")
    def open_to_all(name: str) -> dict[str, str]:
        return {"name": name}

    @ledger.get("/{number}")
    def entry(number: int) -> dict[str, int]:
        return {"number": number}

    @app.websocket("/v1/chat")
    async def chat(socket: WebSocket, caller: Billing) -> None:
        await socket.accept()
        await socket.send_text(judged_from_scope(socket.scope).spiffe_id or "")
        await socket.close()

    app.include_router(ledger)
    return app


def answer(scope: Scope) -> tuple[int, Any]:
    start, body = asked(application(), scope)[:2]
    return start["status"], json.loads(body["body"])


def test_a_route_gets_the_caller_from_the_dependency() -> None:
    told = {"name": "invoices", "caller": BILLING, "identities": ["billing"]}
    assert answer(http_scope(billing(), path="/v1/invoices")) == (200, told)


@pytest.mark.parametrize("path", ["/v1/invoices", "/v1/ledger/7"])
def test_a_route_that_is_for_others_is_refused_though_the_policy_allows_it(path: str) -> None:
    status, body = answer(http_scope(tenant("acme"), path=path))
    assert status == 403
    assert "none of the identities" in body["detail"]


def test_a_route_without_the_dependency_is_as_the_policy_has_it() -> None:
    assert answer(http_scope(tenant("acme"), path="/v1/open/x")) == (200, {"name": "x"})
    status, body = answer(http_scope(path="/v1/open/x"))
    assert (status, body["reason"]) == (403, "no_certificate")


def test_the_policy_is_asked_before_any_route_and_before_what_has_none() -> None:
    for path in ("/nowhere", "/v2/invoices", "/docs"):
        assert answer(http_scope(billing(), path=path))[0] == 403
    assert answer(http_scope(billing(), path="/v1/ledger/seven"))[0] == 422


def websocket(scope: Scope) -> list[Message]:
    async def opened(inner: Scope, _: Any, send: Any) -> None:
        async def receive() -> Message:
            return {"type": "websocket.connect"}

        await application()(inner, receive, send)

    return asked(opened, {**scope, "path": "/v1/chat", "raw_path": b"/v1/chat"})


def test_a_websocket_has_the_same_dependency() -> None:
    sent = websocket(websocket_scope(billing()))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert sent[1]["text"] == BILLING
    for other in (websocket_scope(tenant("acme")), websocket_scope()):
        assert "websocket.accept" not in [message["type"] for message in websocket(other)]
