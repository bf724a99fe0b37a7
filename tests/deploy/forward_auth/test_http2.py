"""Clients that speak HTTP/2 to the proxies that offer it: HAProxy, Caddy, Traefik. The question is the same."""

import pytest

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import client_context
from tests.deploy.forward_auth.test_attacks import TARGETS, without_authority
from tests.deploy.forward_auth.world import Setting
from tests.support.h2_client import Fields, H2Answer, h2_call


@pytest.fixture(autouse=True)
def _offered(setting: Setting) -> None:
    if setting.kind is Proxy.NGINX:
        pytest.skip("deploy/nginx does not switch it on: the directive differs between versions")


def asked(setting: Setting, client: str | None, *fields: tuple[bytes, bytes], **pseudo: bytes) -> H2Answer:
    setting.forget()
    wanted = {"method": b"GET", "scheme": b"https", "authority": b"h.example", "path": b"/v1/a", **pseudo}
    head: Fields = [(f":{name}".encode(), value) for name, value in wanted.items()]
    context = client_context(setting.front.server_ca, setting.clients[client] if client else None)
    try:
        return h2_call(setting.front.address, context, [*head, *fields], sni="h.example")
    except OSError:
        return H2Answer(None, {}, b"")


def test_who_may_call_gets_through_and_who_may_not_is_told_why(setting: Setting) -> None:
    assert asked(setting, "billing").status == 200, setting.asked.problems
    (received,) = setting.received
    assert received.values("x-peergate-identity") == ["billing"]
    assert received.values("host") == ["h.example"]
    denied = asked(setting, "billing", path=b"/admin")
    assert (denied.status, denied.headers["x-peergate-reason"]) == (403, "no_matching_rule")
    assert asked(setting, None).status == 403
    assert setting.received == []


def test_law_7_what_a_client_claims_of_itself_never_arrives(setting: Setting) -> None:
    for name in (b"x-peergate-identity", b"x_peergate_identity", b"ssl-client-cert", b"client-cert", b"x-original-url"):
        asked(setting, None, (name, b"evil"), path=b"/healthz")
        assert "evil" not in str([request.headers for request in setting.received])
        assert asked(setting, None, (name, b"evil")).status != 200


def test_law_6_what_arrives_is_what_was_judged(setting: Setting) -> None:
    for target in TARGETS:
        if asked(setting, "billing", path=target).status != 200:
            assert setting.received == [], target
            continue
        (received,), (judged,) = setting.received, setting.asked.judged
        assert without_authority(received.target) == without_authority(judged.target), target
        assert received.target.startswith(("/v1", "/%76%31")), target


@pytest.mark.parametrize("authority", [b"evil.example", b"", b"h.example, evil.example", b"evil@h.example"])
def test_law_6_the_host_that_arrives_is_the_one_that_was_judged(setting: Setting, authority: bytes) -> None:
    for fields in ((), ((b"host", b"h.example"),), ((b"host", b"evil.example"),)):
        answer = asked(setting, "billing", *fields, authority=authority)
        if answer.status != 200:
            assert setting.received == []
            continue
        (received,), (judged,) = setting.received, setting.asked.judged
        assert received.values("host") == [judged.host]
