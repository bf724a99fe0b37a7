"""What is not allowed never reaches the application; what is, reaches it without the claims of the caller."""

import json
from typing import Any

import pytest

from gateway.middleware import AuthorizationMiddleware, Judged, PeerMiddleware, judged_from_scope, requires_identity
from gateway.middleware.presented import Scope
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from policies.reason import Effect
from tests.extauth.world import BILLING, billing, tenant
from tests.gateway.middleware.scopes import Application, Message, asked, authorizer, http_scope, websocket_scope


def answered(scope: Scope, **settings: Any) -> tuple[Application, list[Message]]:
    app = Application()
    return app, asked(AuthorizationMiddleware(app, authorizer(**settings)), scope)


def test_an_allowed_request_reaches_the_application_with_identity_and_decision() -> None:
    app, sent = answered(http_scope(billing()))
    assert sent[0]["status"] == 200
    judged = judged_from_scope(app.scopes[0])
    assert judged.identities == ("billing",)
    assert judged.spiffe_id == BILLING
    assert judged.decision is not None
    assert (judged.decision.effect, judged.decision.rules) == (Effect.ALLOW, ("billing-reads",))
    assert app.values(b"x-peergate-decision-id") == [(judged.decision_id or "").encode()]
    assert app.values(b"x-peergate-identity") == [b"billing"]
    assert app.values(b"x-peergate-spiffe-id") == [BILLING.encode()]


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (http_scope(billing(), path="/other"), "no_matching_rule"),
        (http_scope(), "no_certificate"),
        (http_scope(billing(), host=None), "host_invalid"),
        (http_scope(billing(), headers=[(b"host", b"invoices.example")]), "host_invalid"),
        (http_scope(billing(), path="/v1/a/b", raw_path=b"/v1/a%2fb"), "path_ambiguous"),
        (http_scope(billing(), path="/admin", raw_path=b"/v1/invoices"), "request_malformed"),
        (http_scope(billing(), method="CONNECT"), "request_malformed"),
        ({**http_scope(billing()), "extensions": {}}, "certificate_malformed"),
    ],
)
def test_a_denied_request_does_not_reach_it_and_reads_why(scope: Scope, reason: str) -> None:
    app, sent = answered(scope)
    assert app.scopes == []
    start, body = sent
    headers = dict(start["headers"])
    assert start["status"] == 403
    assert headers[b"x-peergate-reason"].decode() == reason
    told = json.loads(body["body"])
    assert (told["error"], told["reason"]) == ("denied", reason)
    assert told["decision_id"].encode() == headers[b"x-peergate-decision-id"]


@pytest.mark.parametrize("broken", [{"headers": None}, {"headers": [(b"a",)]}, {"path": None}, {"query_string": 7}])
def test_a_scope_that_no_server_makes_is_denied(broken: dict[str, Any]) -> None:
    app, sent = answered({**http_scope(billing()), **broken})
    assert app.scopes == []
    assert sent[0]["status"] == 403


def test_without_a_policy_everything_is_denied() -> None:
    app, sent = answered(http_scope(billing()), without_policy=True)
    assert app.scopes == []
    assert json.loads(sent[1]["body"])["reason"] == "policy_unavailable"


CLAIMS = [
    b"x-peergate-identity",
    b"X-Peergate-Identity",
    b"x_peergate_identity",
    b"x-peergate-anything",
    b"x-forwarded-client-cert",
    b"client-cert",
    b"Client_Cert",
    b"ssl-client-verify",
    b"x-forwarded-tls-client-cert",
    b"x-original-url",
    b"x-http-method-override",
    b"x-tenant",
    b"X_Tenant",
]


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("observe", [False, True])
def test_what_the_caller_claims_does_not_reach_the_application(name: bytes, observe: bool) -> None:
    app, sent = answered(http_scope(billing(), headers=[(name, b"admin"), (b"x-kept", b"1")]), observe=observe)
    assert sent[0]["status"] == 200
    assert b"admin" not in [value for _, value in app.scopes[0]["headers"]]
    assert app.values(b"x-kept") == [b"1"]


@pytest.mark.parametrize("name", [b"x_kept", b"X_Forwarded_For", b"transfer_encoding", b"x-a_b"])
@pytest.mark.parametrize("observe", [False, True])
def test_no_name_that_some_servers_take_for_another_one_reaches_the_application(name: bytes, observe: bool) -> None:
    app, _ = answered(http_scope(billing(), headers=[(name, b"twin"), (b"x-kept", b"1")]), observe=observe)
    assert [value for _, value in app.scopes[0]["headers"] if value in {b"twin", b"1"}] == [b"1"]


@pytest.mark.parametrize("name", CLAIMS)
def test_a_request_that_could_not_be_read_loses_its_claims_under_observe(name: bytes) -> None:
    scope = http_scope(billing(), path="/admin", raw_path=b"/v1", headers=[(name, b"admin")])
    app, _ = answered(scope, observe=True)
    assert b"admin" not in [value for _, value in app.scopes[0]["headers"]]


def test_headers_of_the_rule_are_set_once() -> None:
    scope = http_scope(tenant("acme"), path="/tenants/acme/x", headers=[(b"x-tenant", b"evil")])
    app, _ = answered(scope)
    assert app.values(b"x-tenant") == [b"acme"]


def test_the_scope_of_the_server_stays_as_it_was() -> None:
    scope = http_scope(billing(), headers=[(b"x-tenant", b"evil")])
    answered(scope)
    assert (b"x-tenant", b"evil") in scope["headers"]
    assert "peergate" not in scope


def test_an_allowed_websocket_reaches_the_application() -> None:
    app, _ = answered(websocket_scope(billing()))
    assert judged_from_scope(app.scopes[0]).identities == ("billing",)


def test_a_denied_websocket_is_closed_before_it_is_accepted() -> None:
    app, sent = answered(websocket_scope())
    assert app.scopes == []
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "no_certificate"}]


def test_a_denied_websocket_reads_why_where_the_server_can_say_it() -> None:
    _, (start, body) = answered(websocket_scope(denial_response=True))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert json.loads(body["body"])["reason"] == "no_certificate"


def test_the_lifespan_passes() -> None:
    app, _ = answered({"type": "lifespan"})
    assert len(app.scopes) == 1


def test_a_scope_of_an_unknown_type_does_not_pass() -> None:
    with pytest.raises(RuntimeError, match="webtransport"):
        answered({"type": "webtransport"})


def test_peer_middleware_shows_the_certificate_and_decides_nothing() -> None:
    app = Application()
    asked(PeerMiddleware(app), http_scope(billing(), path="/not/allowed"))
    judged = judged_from_scope(app.scopes[0])
    assert isinstance(judged.presented, PresentedCertificate)
    assert (judged.decision, judged.identities, judged.spiffe_id, judged.decision_id) == (None, (), None, None)


def test_authorization_judges_the_peer_that_is_in_the_scope_already() -> None:
    scope = {**http_scope(billing()), "peergate": Judged(MalformedCertificate("by a hop"))}
    _, sent = answered(scope)
    assert dict(sent[0]["headers"])[b"x-peergate-reason"] == b"certificate_malformed"


def test_without_the_middleware_a_route_that_asks_for_the_caller_fails() -> None:
    with pytest.raises(LookupError, match="AuthorizationMiddleware"):
        judged_from_scope(http_scope())


def test_a_requirement_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        requires_identity()
