"""200 permits, anything else denies; the headers of a 200 are what reaches the upstream."""

import asyncio
import json
from typing import Any

import pytest

from extauth.http_app import HttpCheck
from extauth.http_request import HttpReader, Scope
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.hops import TrustedHops
from tests.extauth.test_http_request import scope, with_certificate
from tests.extauth.world import Service, billing, policy_of, tenant, xfcc

HOPS = TrustedHops.parse(("127.0.0.1/32",))


def answered(service: Service, asked: Scope) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body is nobody's business")

    asyncio.run(service.http(asked, receive, send))
    start, body = sent
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert headers["content-length"] == str(len(body["body"]))
    return start["status"], headers, body["body"]


def removed(headers: dict[str, str]) -> list[str]:
    return headers["x-envoy-auth-headers-to-remove"].split(",")


def test_an_allowed_request_is_200_with_the_headers_for_the_upstream() -> None:
    asked = scope(target=b"/tenants/acme/a", headers=[(b"x-forwarded-client-cert", xfcc_of_tenant())])
    status, headers, body = answered(Service(hops=HOPS), asked)
    assert (status, body) == (200, b"")
    assert headers["x-tenant"] == "acme"
    assert headers["x-peergate-identity"] == "tenant"
    assert headers["x-peergate-spiffe-id"] == "spiffe://acme.internal/tenant/acme"
    assert "x-tenant" not in removed(headers)


def xfcc_of_tenant() -> bytes:
    return xfcc(tenant("acme")).replace("ns/prod/sa/billing", "tenant/acme").encode()


def test_what_may_not_reach_the_upstream_is_named_for_removal() -> None:
    asked = scope(headers=[with_certificate(xfcc(billing())), (b"x_peergate_identity", b"forged")])
    _, headers, _ = answered(Service(hops=HOPS), asked)
    assert {"x_peergate_identity", "x-original-url", "x-tenant"} <= set(removed(headers))


def test_a_denied_request_is_403_with_reason_and_decision_id() -> None:
    status, headers, body = answered(Service(hops=HOPS), scope())
    assert status == 403
    assert headers["x-peergate-reason"] == "no_certificate"
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert told == {
        "error": "denied",
        "reason": "no_certificate",
        "decision_id": headers["x-peergate-decision-id"],
    }


def test_a_wrong_sni_is_421() -> None:
    strict = policy_of(
        "version: 1\nstrict_sni: true\ntrust: {mesh: {anchors: [root.pem]}}\n"
        "rules: [{id: a, allow: authenticated, to: any}]\n"
    )
    assert answered(Service(strict, hops=HOPS), scope())[0] == 421


def test_a_caller_that_is_no_trusted_hop_is_denied_everything() -> None:
    status, headers, _ = answered(Service(), scope(target=b"/healthz"))
    assert (status, headers["x-peergate-reason"]) == (403, "request_malformed")


def test_without_a_policy_everything_is_denied() -> None:
    status, headers, _ = answered(Service(None, hops=HOPS), scope(target=b"/healthz"))
    assert (status, headers["x-peergate-reason"]) == (403, "policy_unavailable")


@pytest.mark.parametrize("observe", [False, True])
def test_only_observing_permits_what_is_denied(observe: bool) -> None:
    status, headers, _ = answered(Service(hops=HOPS, observe=observe), scope())
    assert (status == 200) is observe
    assert observe is ("x-envoy-auth-headers-to-remove" in headers)


def test_a_broken_scope_is_denied() -> None:
    asked = scope()
    del asked["client"]
    status, headers, _ = answered(Service(hops=HOPS), asked)
    assert (status, headers["x-peergate-reason"]) == (403, "internal_error")


def test_a_websocket_is_never_answered() -> None:
    app = HttpCheck(Checks(Service().judge, PresentedReader()), HttpReader(PresentedReader(), HOPS))
    with pytest.raises(RuntimeError, match="websocket"):
        asyncio.run(app({"type": "websocket"}, _nothing, _nothing_sent))


async def _nothing() -> dict[str, Any]:
    return {}


async def _nothing_sent(message: dict[str, Any]) -> None:
    raise AssertionError(message)
