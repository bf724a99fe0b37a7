"""What is remembered of one caller's headers is never told of another, by another policy, or of another request."""

from time import time
from typing import Any

from gateway.middleware import AuthorizationMiddleware
from gateway.middleware.passed import scope_from_verdict
from gateway.middleware.presented import Scope
from gateway.middleware.request import ScopeReader
from pki.authority import Issued
from policies.engine.request import Request
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import named_caller
from policies.peer.reader import PresentedReader
from runtime.check import Verdict
from tests.extauth.world import BILLING, billing, policy, tenant
from tests.gateway.middleware.scopes import Application, asked, authorizer, http_scope


def passed(scope: Scope, **settings: Any) -> dict[bytes, bytes]:
    """The headers that reach an application, each name once."""
    app = Application()
    asked(AuthorizationMiddleware(app, authorizer(**settings)), scope)
    headers: list[tuple[bytes, bytes]] = app.scopes[0]["headers"]
    assert len(dict(headers)) == len(headers)
    return dict(headers)


def request_of(issued: Issued) -> Request:
    return ScopeReader(PresentedReader(), time).received_from_scope(http_scope(issued), None, policy()).request


def test_callers_in_turn_are_told_as_themselves() -> None:
    for _ in range(3):
        of_billing = passed(http_scope(billing()))
        assert of_billing[b"x-peergate-spiffe-id"] == BILLING.encode()
        assert b"x-tenant" not in of_billing
        for name in ("acme", "globex"):
            of_tenant = passed(http_scope(tenant(name), path=f"/tenants/{name}/x"))
            assert of_tenant[b"x-tenant"] == name.encode()
            assert of_tenant[b"x-peergate-spiffe-id"] != BILLING.encode()


def test_a_caller_with_another_decision_is_told_by_that() -> None:
    under_observe = passed(http_scope(billing(), path="/not/allowed"), observe=True)
    assert passed(http_scope(billing())).keys() == under_observe.keys()
    assert b"x-peergate-spiffe-id" not in passed(http_scope(path="/not/allowed"), observe=True)


def test_values_are_those_of_the_request_and_each_has_an_id_of_its_own() -> None:
    one, other = (passed(http_scope(billing(), headers=[(b"x-kept", value)])) for value in (b"1", b"2"))
    assert (one[b"x-kept"], other[b"x-kept"]) == (b"1", b"2")
    assert one[b"x-peergate-decision-id"] != other[b"x-peergate-decision-id"]


def test_a_header_that_only_another_policy_sets_passes() -> None:
    claim = [(b"x-tenant", b"evil")]
    assert b"x-tenant" not in passed(http_scope(billing(), headers=claim), current=policy())
    assert passed(http_scope(billing(), headers=claim), observe=True, without_policy=True)[b"x-tenant"] == b"evil"


def test_callers_of_whom_only_names_are_known_are_told_apart() -> None:
    """As a proxy tells them: two with one decision differ in nothing but their names."""
    judgement = authorizer().judge.decide(policy(), request_of(billing()))
    for uri in (BILLING, "spiffe://acme.internal/ns/prod/sa/other", BILLING):
        peer = named_caller(IdentityFacts(uri=(uri,)), "mesh")
        scope = scope_from_verdict(http_scope(), Verdict(judgement, frozenset(), peer, False, ("host",), None))
        assert dict(scope["headers"])[b"x-peergate-spiffe-id"] == uri.encode()
