"""Law 6 and 7 through the real proxies: nothing that a client writes makes it somebody else, or its request another."""

import ssl
from base64 import b64encode
from itertools import product
from urllib.parse import quote, unquote

import pytest

from gateway.forward_auth.proxies import Proxy
from peergate.demo.client import Answer, request_bytes
from tests.deploy.forward_auth.world import DENIED, Setting

CERTIFICATE_HEADERS = (
    *("client-cert", "ssl-client-cert", "x-forwarded-client-cert", "x-forwarded-tls-client-cert"),
    *("x-client-cert", "x-ssl-client-cert"),
)
CLAIMS = (
    *("client-cert", "client-cert-chain", "x-forwarded-client-cert", "x-forwarded-tls-client-cert-info"),
    *("ssl-client-verify", "ssl-client-subject-dn", "x-peergate-identity", "x-peergate-spiffe-id"),
    *("x-peergate-decision-id", "x-peergate-reason", "x-original-url", "x-rewrite-url", "x-http-method"),
    *("x-http-method-override", "x-method-override"),
)
UNLISTED = ("ssl-client-anything", "x-peergate-anything", "x-forwarded-tls-anything")


def spellings(name: str) -> set[str]:
    """The ways in which some server takes another name for this one."""
    first, _, rest = name.partition("-")
    return {name.title(), name.upper().replace("-", "_"), f"{first}_{rest}"}


def certificate_values(setting: Setting) -> list[bytes]:
    """The certificate of who may call, in every format."""
    pem = setting.clients["billing"].chain.read_text()
    base64 = b64encode(ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END") + 26])).decode()
    escaped = quote(pem, safe="")
    return [text.encode() for text in (base64, escaped, f":{base64}:", f'Cert="{escaped}"', quote(base64, safe=""))]


@pytest.mark.parametrize("name", CERTIFICATE_HEADERS)
def test_law_7_a_certificate_in_a_header_of_the_client_makes_it_nobody(setting: Setting, name: str) -> None:
    for spelling, value in product(sorted(spellings(name)), certificate_values(setting)):
        assert setting.get(None, b"/v1/a", (spelling, value)).status != 200
        assert setting.received == []


@pytest.mark.parametrize("name", [*CLAIMS, *UNLISTED])
def test_law_7_what_a_client_claims_of_itself_never_arrives(setting: Setting, name: str) -> None:
    for spelling in sorted(spellings(name)):
        answer = setting.get(None, b"/healthz", (spelling, b"evil"))
        assert answer.status == 200 or name in UNLISTED, (spelling, setting.asked.problems)
        assert "evil" not in str([request.headers for request in setting.received])


@pytest.mark.parametrize("name", ["uri", "method", "host", "address", "sni", "for"])
@pytest.mark.parametrize("prefix", ["x-original-", "x-forwarded-"])
def test_the_facts_of_a_question_are_not_the_client_s(setting: Setting, name: str, prefix: str) -> None:
    for spelling, value in product(sorted(spellings(prefix + name)), [b"/healthz", b'"h.example"', b"192.0.2.1"]):
        assert setting.get(None, b"/v1/a", (spelling, value)).status != 200
        assert setting.received == []


@pytest.mark.parametrize(
    "listed", [b"x-peergate-identity", b"X-Peergate-Identity, close", b"close,x-peergate-spiffe-id"]
)
def test_law_7_connection_does_not_remove_what_is_said_of_the_caller(setting: Setting, listed: bytes) -> None:
    request = request_bytes("GET", b"/v1/a", [("Host", b"h.example"), ("Connection", listed)])
    assert setting.sent("billing", request).status == 200
    (received,) = setting.received
    assert received.values("x-peergate-identity") == ["billing"]
    assert len(received.values("x-peergate-spiffe-id")) == 1
    assert "x-peergate" not in str(received.values("connection")).lower()


@pytest.mark.parametrize("method", ["get", "Get", "delete", "DELETe"])
def test_law_6_no_method_is_forwarded_that_an_application_may_read_as_another(setting: Setting, method: str) -> None:
    answer = setting.sent("billing", request_bytes(method, b"/v1/a", [("Host", b"h.example"), CLOSE]))
    assert answer.status in DENIED
    assert setting.received == []


UPGRADES: list[list[bytes]] = [
    *([b"h2c"], [b"foo"], [b"TLS/1.0"], [b"websocket, h2c"], [b"h2c, websocket"], [b"websockets"], [b"websocke"]),
    *([b"websocket", b"h2c"], [b"h2c", b"websocket"], [b"foo", b"WebSocket"], [b"web socket"], [b"xebsocket"]),
]


@pytest.mark.parametrize("values", UPGRADES)
def test_law_6_no_connection_becomes_a_tunnel_for_requests_that_nobody_judges(
    setting: Setting, values: list[bytes]
) -> None:
    fields = [("Connection", b"Upgrade, HTTP2-Settings"), ("HTTP2-Settings", b"AAMAAABkAAQAoAAAAAIAAAAA")]
    upgrades = [("Upgrade", value) for value in values]
    for connection in (fields, [("Connection", b"close, Upgrade")]):
        request = request_bytes("GET", b"/v1/a", [("Host", b"h.example"), *upgrades, *connection])
        sent_or_closed(setting, "billing", request)
        for received in setting.received:
            assert received.values("upgrade") in ([], ["websocket"])


@pytest.mark.parametrize("value", [b"websocket", b"WebSocket"])
def test_a_websocket_is_asked_for_at_the_application(setting: Setting, value: bytes) -> None:
    if setting.kind is Proxy.NGINX:
        pytest.skip("deploy/nginx forwards no upgrade")
    socket = [("Sec-WebSocket-Version", b"13"), ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")]
    fields = [("Host", b"h.example"), ("Upgrade", value), ("Connection", b"keep-alive, Upgrade"), *socket]
    assert setting.sent("billing", request_bytes("GET", b"/v1/a", fields)).status == 200
    (received,) = setting.received
    assert [name.lower() for name in received.values("upgrade")] == ["websocket"]
    assert [name.lower() for name in received.values("connection")] == ["upgrade"]


TARGETS = [
    *(b"/v1/../admin", b"/v1/%2e%2e/admin", b"/v1/..%2fadmin", b"/v1/%2e%2e%2fadmin", b"/v1/..;/admin"),
    *(b"/v1/..\\admin", b"//v1/a", b"/v1//a", b"/v1/./a", b"/v1/%2e/a", b"/v1/a/..", b"/v1/a/%2e%2e/%2e%2e/admin"),
    *(b"/admin/..%2fv1/a", b"/healthz/../admin", b"/healthz%2f..%2fadmin", b"/healthz;/admin", b"/healthz%00"),
    *(b"/healthz%0a", b"/healthz#/a", b"/healthz?/../admin", b"/v1/a?../../admin", b"/v1/%", b"/v1/%zz"),
    *(b"/v1/%c0%ae%c0%ae/admin", b"/v1/\xff", b"/v1/%ff", b"/v1/%252e%252e/admin", b"/v1/a%20b", b"/v1/a+b"),
    *(b"/v1/a|b", b"/v1/a%7Cb", b'/v1/a"b', b"/v1/a{b}", b"/v1/%41%2d", b"/v1/..", b"*", b"", b"?", b"/", b"///"),
    *(b"https://h.example/v1/a", b"http://h.example/v1/a", b"https://evil.example/v1/a", b"https://h.example"),
    *(b"v1/a", b"https://h.example/../v1/a", b"https://x@h.example/v1/a", b"/_peergate", b"/V1/a", b"/v1", b"/v1/"),
    *(b"/v1/a/", b"/v1/%ef%bc%8f..%ef%bc%8fadmin", b"/v1/a\tb", b"/v1/a%09b", b"/%76%31/a"),
]


@pytest.mark.parametrize("client", ["billing", None])
def test_law_6_what_arrives_is_what_was_judged(setting: Setting, client: str | None) -> None:
    for target in TARGETS:
        answer = sent_or_closed(setting, client, request_bytes("GET", target, [("Host", b"h.example"), CLOSE]))
        if answer is None or answer.status != 200:
            assert setting.received == [], target
            continue
        (received,), (judged,) = setting.received, setting.asked.judged
        arrived = without_authority(received.target)
        assert arrived == without_authority(judged.target), target
        path = unquote(arrived.partition("?")[0])
        assert ".." not in path
        assert path.startswith("/v1/") or path == "/v1" if client else path == "/healthz"


CLOSE = ("Connection", b"close")
HOSTS: list[list[tuple[str, bytes]]] = [
    [],
    [("Host", b"")],
    [("Host", b"h.example"), ("Host", b"evil.example")],
    [("Host", b"h.example"), ("host", b"h.example")],
    [("Host", b"H.Example:8443")],
    [("Host", b"h.example.")],
    [("Host", b"h.example, evil.example")],
    [("Host", b"evil@h.example")],
    [("Host", b"h.example/evil")],
    [("Host", b" h.example\t")],
    [("Host", b"[::1]:8443")],
    [("Host", b"h.example"), ("X-Forwarded-Host", b"evil.example")],
    [("Host", b"h.example"), ("Forwarded", b"host=evil.example")],
]


@pytest.mark.parametrize("target", [b"/v1/a", b"https://evil.example/v1/a", b"https://H.example:8443/v1/a"])
def test_law_6_the_host_that_arrives_is_the_one_that_was_judged(setting: Setting, target: bytes) -> None:
    for hosts in HOSTS:
        answer = sent_or_closed(setting, "billing", request_bytes("GET", target, [*hosts, CLOSE]))
        if answer is None or answer.status != 200:
            assert setting.received == [], hosts
            continue
        (received,), (judged,) = setting.received, setting.asked.judged
        assert received.values("host") == [judged.host], hosts


@pytest.mark.parametrize(
    "sni", ["h.example\r\nX-Original-Uri: /healthz", 'h.example"\r\n\r\nGET / HTTP/1.1\r\nX: "', "a\r\nb", 'a"b', "a b"]
)
def test_a_server_name_that_is_none_writes_no_header(setting: Setting, sni: str) -> None:
    request = request_bytes("GET", b"/admin", [("Host", b"h.example"), CLOSE])
    for client in ("billing", None):
        answer = sent_or_closed(setting, client, request, sni)
        assert answer is None or answer.status != 200
        assert setting.received == []
    request = request_bytes("GET", b"/v1/a", [("Host", b"h.example"), CLOSE])
    answer = sent_or_closed(setting, "billing", request, sni)
    assert answer is None or answer.status != 200 or setting.kind is Proxy.TRAEFIK


def test_a_certificate_that_is_too_large_is_refused(setting: Setting) -> None:
    request = request_bytes("GET", b"/v1/a", [("Host", b"h.example"), CLOSE])
    answer = sent_or_closed(setting, "huge", request)
    assert answer is None or answer.status != 200
    assert setting.received == []


def sent_or_closed(
    setting: Setting, client: str | None, request: bytes, sni: str | None = "h.example"
) -> Answer | None:
    """The answer; None if the proxy ended the connection."""
    try:
        return setting.sent(client, request, sni)
    except OSError:
        return None


def without_authority(target: str) -> str:
    return target if target.startswith("/") else "/" + target.split("/", 3)[3]
