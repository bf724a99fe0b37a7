"""What a proxy asks becomes the request that it would forward, or is refused: nothing is guessed."""

from base64 import b64encode
from ipaddress import ip_address
from urllib.parse import quote

import pytest

from gateway.connection import CONNECTION
from gateway.forward_auth.app import ForwardAuth
from gateway.forward_auth.proxies import ASKING, Proxy
from gateway.forward_auth.request import QuestionReader
from gateway.hops import FrontHops
from gateway.middleware.forwarded import ForwardedPeers
from gateway.middleware.presented import Scope
from policies.engine.record import Enforcement
from policies.engine.request import UNREPORTED
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from runtime.check import Checks, Received
from runtime.errors import MalformedQuestionError, UntrustedHopError
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics
from tests.extauth.world import billing, policy
from tests.gateway.middleware.scopes import asked

BASE64 = b64encode(billing().der).decode()
CERTIFICATES = {
    Proxy.NGINX: quote(billing().pem, safe=""),
    Proxy.HAPROXY: BASE64,
    Proxy.CADDY: BASE64,
    Proxy.TRAEFIK: BASE64,
}
FACTS = ("method", "target", "host", "address", "sni")
VALUES = {
    "method": "GET",
    "target": "/v1/%41?q",
    "host": "invoices.example",
    "address": "192.0.2.7",
    "sni": '"invoices.example"',
}
proxies = pytest.mark.parametrize("proxy", Proxy)


def question(proxy: Proxy, **changed: str | None) -> list[tuple[bytes, bytes]]:
    """The headers of a good question; `changed`: fact -> value, None leaves it out."""
    asking = ASKING[proxy]
    headers = [("host", "peergate")]
    for fact in FACTS:
        value = {**VALUES, **changed}[fact]
        if (name := getattr(asking, fact)) and value is not None:
            headers.append((name, value))
    certificate = {"certificate": CERTIFICATES[proxy], **changed}["certificate"]
    if certificate is not None:
        headers.append((asking.certificate.certificate, certificate))
    return [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in headers]


def scope(headers: list[tuple[bytes, bytes]], source: tuple[str, int] | None = None) -> Scope:
    extensions = {CONNECTION: {"source": source}}
    return {"type": "http", "method": "GET", "scheme": "http", "headers": headers, "extensions": extensions}


def reader(proxy: Proxy, *seen: str, hops: str = "unix") -> QuestionReader:
    peers = ForwardedPeers(ASKING[proxy].certificate, FrontHops.parse([hops]))
    return QuestionReader(ASKING[proxy], peers, PresentedReader(), seen)


def received(proxy: Proxy, headers: list[tuple[bytes, bytes]], *seen: str) -> Received:
    return reader(proxy, *seen).received_from_scope(scope(headers), policy(), 7.0)


@proxies
def test_a_question_is_about_the_request_that_it_describes(proxy: Proxy) -> None:
    request = received(proxy, [*question(proxy), (b"x-ring", b"beta")], "x-ring").request
    assert isinstance(request.peer, PresentedCertificate)
    assert request.peer.leaf.der == billing().der
    assert (request.method, request.target, request.host) == ("GET", "/v1/%41?q", "invoices.example")
    assert request.source_ip == ip_address("192.0.2.7")
    assert request.sni == (UNREPORTED if proxy is Proxy.TRAEFIK else "invoices.example")
    assert request.headers == {"x-ring": ("beta",)}
    assert request.seen_headers == frozenset({"x-ring"})


@proxies
@pytest.mark.parametrize("fact", ["method", "target", "address", "sni"])
def test_a_fact_that_is_missing_is_not_guessed(proxy: Proxy, fact: str) -> None:
    if getattr(ASKING[proxy], fact):
        with pytest.raises(MalformedQuestionError, match="does not send"):
            received(proxy, question(proxy, **{fact: None}))


@proxies
@pytest.mark.parametrize("fact", FACTS)
@pytest.mark.parametrize("again", [b"", b"/healthz"])
def test_a_fact_that_came_twice_is_refused(proxy: Proxy, fact: str, again: bytes) -> None:
    if name := getattr(ASKING[proxy], fact):
        with pytest.raises(MalformedQuestionError, match="sent 2 times"):
            received(proxy, [*question(proxy), (name.encode(), again)])


@proxies
def test_a_missing_host_is_one_that_no_request_may_have(proxy: Proxy) -> None:
    assert received(proxy, question(proxy, host=None)).request.host == ""


@proxies
@pytest.mark.parametrize("address", ["", "192.0.2.7, 10.0.0.1", "192.0.2.7:80", "unknown", "\udcff", "10.0.0.0/8"])
def test_an_address_that_is_not_one_address_is_refused(proxy: Proxy, address: str) -> None:
    with pytest.raises(MalformedQuestionError, match="one IP address"):
        received(proxy, question(proxy, address=address))


def test_a_client_on_a_unix_socket_has_no_address() -> None:
    assert received(Proxy.NGINX, question(Proxy.NGINX, address="unix:")).request.source_ip is None


@pytest.mark.parametrize("sni", ["", "a.example", '"', '""x', '"a"b"', '"a b"', '"a\x7f"', "unreadable", '"\udcff"'])
def test_a_server_name_that_is_not_quoted_is_refused(sni: str) -> None:
    with pytest.raises(MalformedQuestionError, match="server name"):
        received(Proxy.NGINX, question(Proxy.NGINX, sni=sni))


def test_no_server_name_is_one_that_was_not_sent() -> None:
    assert received(Proxy.NGINX, question(Proxy.NGINX, sni='""')).request.sni is None


@proxies
def test_no_certificate_is_only_what_the_proxy_writes_for_none(proxy: Proxy) -> None:
    assert received(proxy, question(proxy, certificate=None)).request.peer is NO_CERTIFICATE
    for text in ("-", "nonsense", CERTIFICATES[proxy] + "A", "\udcff"):
        assert isinstance(received(proxy, question(proxy, certificate=text)).request.peer, MalformedCertificate)


@proxies
def test_law_7_two_certificates_are_none_that_can_be_read(proxy: Proxy) -> None:
    name = ASKING[proxy].certificate.certificate.encode()
    for again in (b"", CERTIFICATES[proxy].encode()):
        peer = received(proxy, [*question(proxy), (name, again)]).request.peer
        assert isinstance(peer, MalformedCertificate)


@proxies
@pytest.mark.parametrize(
    "name", ["client-cert", "x-peergate-identity", "ssl-client-any", "x_a", "x-tenant", "X_Tenant", "x-original-url"]
)
def test_law_7_what_the_proxy_should_have_removed_is_refused(proxy: Proxy, name: str) -> None:
    with pytest.raises(MalformedQuestionError, match="remove it before asking"):
        received(proxy, [*question(proxy), (name.encode(), b"x")])


@proxies
@pytest.mark.parametrize("source", [("127.0.0.2", 1), None])
def test_law_7_a_question_from_anybody_else_is_refused_whole(proxy: Proxy, source: tuple[str, int] | None) -> None:
    with pytest.raises(UntrustedHopError):
        reader(proxy, hops="127.0.0.1/32").received_from_scope(scope(question(proxy), source), policy(), 7.0)


def test_law_7_a_server_that_does_not_say_who_asks_is_believed_nothing() -> None:
    asking = {**scope(question(Proxy.NGINX)), "extensions": {}, "client": None}
    with pytest.raises(UntrustedHopError):
        reader(Proxy.NGINX).received_from_scope(asking, policy(), 7.0)


def test_law_2_a_header_that_is_not_listed_is_unknown() -> None:
    request = received(Proxy.NGINX, [*question(Proxy.NGINX), (b"x-ring", b"beta")]).request
    assert request.headers == {}
    assert request.seen_headers == frozenset()


def answered(proxy: Proxy, headers: list[tuple[bytes, bytes]]) -> tuple[int, dict[bytes, bytes]]:
    checks = Checks(Judge(FixedPolicy(policy()), Metrics(), None, Enforcement.FORWARD_AUTH), PresentedReader())
    start, _ = asked(ForwardAuth(checks, reader(proxy), ASKING[proxy]), scope(headers))
    return start["status"], dict(start["headers"])


@proxies
def test_an_answer_is_200_with_what_the_upstream_is_told_or_a_denial_with_the_reason(proxy: Proxy) -> None:
    status, headers = answered(proxy, question(proxy))
    assert (status, headers[b"x-peergate-identity"]) == (200, b"billing")
    status, headers = answered(proxy, question(proxy, target="/admin"))
    assert (status, headers[b"x-peergate-reason"]) == (403, b"no_matching_rule")
    status, headers = answered(proxy, question(proxy, method=None))
    assert (status, headers[b"x-peergate-reason"]) == (403, b"request_malformed")
