"""deploy/nginx, haproxy, caddy and traefik in the real proxies: who is let through, and what the upstream is told."""

import pytest

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import answer_from_socket, request_bytes
from tests.deploy.forward_auth.world import BILLING, Setting


def test_who_may_call_gets_through_with_its_identity(setting: Setting) -> None:
    answer = setting.get("billing", b"/v1/a?x=%2f&y")
    assert answer.status == 200, setting.asked.problems
    (received,) = setting.received
    assert received.target == "/v1/a?x=%2f&y"
    assert received.values("host") == ["h.example"]
    assert received.values("x-peergate-identity") == ["billing"]
    assert received.values("x-peergate-spiffe-id") == [BILLING]
    assert len(received.values("x-peergate-decision-id")[0]) == 32


@pytest.mark.parametrize(
    ("client", "target", "reason"),
    [
        ("billing", b"/admin", "no_matching_rule"),
        ("other", b"/v1/a", "no_matching_rule"),
        (None, b"/v1/a", "no_certificate"),
        ("revoked", b"/v1/a", "certificate_revoked"),
        ("expired", b"/v1/a", "certificate_expired"),
        ("stranger", b"/v1/a", "certificate_untrusted"),
    ],
)
def test_who_may_not_is_denied_and_told_why(setting: Setting, client: str | None, target: bytes, reason: str) -> None:
    answer = setting.get(client, target)
    if setting.kind is Proxy.NGINX and client == "expired":
        # nginx refuses it itself, whatever it is told to verify.
        assert answer.status == 400
    else:
        assert (answer.status, answer.reason) == (403, reason), setting.asked.problems
        assert f'"reason":"{reason}"'.encode() in answer.body
    assert setting.received == []


def test_who_needs_no_certificate_gets_through_without_one(setting: Setting) -> None:
    assert setting.get(None, b"/healthz").status == 200, setting.asked.problems
    assert setting.received[0].values("x-peergate-identity") == []


def test_a_certificate_with_fifty_names_is_read(setting: Setting) -> None:
    assert setting.get("big").status == 200, setting.asked.problems


def test_the_engine_is_asked_about_what_was_sent(setting: Setting) -> None:
    setting.get("billing", b"/v1/%41?q")
    (judged,) = setting.asked.judged
    assert judged.method == "GET"
    (received,) = setting.received
    assert judged.target.removeprefix("https://h.example") == received.target
    # Traefik has decoded what needs no escape before it asks.
    assert received.target == ("/v1/A?q" if setting.kind is Proxy.TRAEFIK else "/v1/%41?q")
    assert judged.host == "h.example"
    assert str(judged.source_ip) == "127.0.0.1"


def test_a_rule_about_the_server_name_holds_where_the_proxy_can_tell_it(setting: Setting) -> None:
    request = request_bytes("GET", b"/named", [("Host", b"h.example"), ("Connection", b"close")])
    allowed = setting.sent("billing", request, sni="h.example").status
    assert allowed == (403 if setting.kind is Proxy.TRAEFIK else 200)
    # Caddy itself wants the host to be the server name wherever it asks for certificates.
    assert setting.sent("billing", request, sni=None).status in {403, 421}


def test_a_chain_that_the_client_sends_is_used_where_the_proxy_can_tell_it(setting: Setting) -> None:
    answer = setting.get("below")
    if setting.kind in {Proxy.HAPROXY, Proxy.TRAEFIK}:
        assert answer.status == 200, setting.asked.problems
    else:
        assert (answer.status, answer.reason) == (403, "certificate_untrusted")


def test_a_body_arrives_with_its_method(setting: Setting) -> None:
    headers = [("Host", b"h.example"), ("Content-Length", b"5"), ("Connection", b"close")]
    answer = setting.sent("billing", request_bytes("POST", b"/v1/a", headers) + b"hello")
    assert answer.status == 200
    assert setting.received[0].method == setting.asked.judged[0].method == "POST"


def test_each_request_of_a_connection_is_judged_whatever_its_body(setting: Setting) -> None:
    chunked = request_bytes("POST", b"/v1/a", [("Host", b"h.example"), ("Transfer-Encoding", b"chunked")])
    chunked += b"5\r\nhello\r\n0\r\n\r\n"
    denied = request_bytes("GET", b"/admin", [("Host", b"h.example")])
    last = request_bytes("GET", b"/v1/b", [("Host", b"h.example"), ("Connection", b"close")])
    with setting.connected("billing") as connection:
        answers = []
        for method, request in (("POST", chunked), ("GET", denied), ("GET", last)):
            connection.sendall(request)
            answers.append(answer_from_socket(connection, method=method).status)
    assert answers == [200, 403, 200]
    assert [request.target for request in setting.received] == ["/v1/a", "/v1/b"]
    assert [request.method for request in setting.asked.judged] == ["POST", "GET", "GET"]


def test_an_upgrade_is_asked_about_like_every_request(setting: Setting) -> None:
    upgrade = [("Upgrade", b"websocket"), ("Connection", b"Upgrade"), ("Sec-WebSocket-Version", b"13")]
    upgrade += [("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")]
    for target, status in ((b"/v1/a", 200), (b"/admin", 403)):
        answer = setting.sent("billing", request_bytes("GET", target, [("Host", b"h.example"), *upgrade]))
        assert answer.status == status, setting.asked.problems
    assert setting.received == []
