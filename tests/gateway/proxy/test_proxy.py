"""What is allowed is forwarded as it was received, answered as the upstream answered, and says who calls."""

import base64
import json
from urllib.parse import quote

import pytest

from gateway.proxy.forwarded_headers import CertificateHeaders
from tests.gateway.proxy.upstream import RecordingUpstream, answering
from tests.gateway.proxy.world import answered, proxying, request, status_of
from tests.gateway.server.world import BILLING, Client, billing, mesh

TARGETS = [
    b"/v1/a",
    b"/v1/a/",
    b"/v1/a?",
    b"/v1/a?x=1&y=%zz",
    b"/v1/a?/../x//y",
    b"/v1/%41%20b",
    b"/v1/~a$&'()*+,=:@-_!",
    b'/v1/a"<>^`{|}?"<>^`{|}',
    b"/v1/%E2%82%AC?%00",
    b"/v1/a??//",
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_upstream_gets_exactly_the_target_that_was_sent(target: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(target))) == 200
        (head,) = upstream.heads
        assert head.split(b"\r\n")[0] == b"GET " + target + b" HTTP/1.1"


def test_of_an_absolute_form_the_upstream_gets_what_follows_the_authority() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(b"https://H.example/v1/a?x"))) == 200
        assert upstream.heads[0].startswith(b"GET /v1/a?x HTTP/1.1\r\n")


@pytest.mark.parametrize("target", [b"/v1/../a", b"/v1/%2e%2e/a", b"//v1/a", b"/v1/a;x", b"/v1/a%2fb", b"/other", b"*"])
def test_what_is_denied_reaches_no_upstream(target: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(target))) in {400, 403}
        assert upstream.received == []


def test_the_host_and_the_other_headers_arrive_as_they_were_sent() -> None:
    sent = [b"X-One: a, b", b"X-One: c", b"Cookie: x=1; y=2", b"User-Agent: me", "X-Text: ä".encode()]
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, request(headers=sent))
        headers = upstream.headers()
        assert headers["host"] == ["h.example"]
        assert headers["x-one"] == ["a, b", "c"]
        assert headers["cookie"] == ["x=1; y=2"]
        assert headers["user-agent"] == ["me"]
        assert headers["x-text"] == ["ä".encode().decode("latin-1")]
        assert {"accept", "accept-encoding", "content-type"}.isdisjoint(headers)


def test_a_header_that_is_not_utf8_arrives_in_the_bytes_that_were_sent() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(headers=[b"X-Text: \xe4\xff"]))) == 200
        (head,) = upstream.heads
        assert b"\r\nx-text: \xe4\xff\r\n" in head


def test_a_header_that_a_client_calls_head_is_a_header() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, request(headers=[b"Head: GET /evil HTTP/1.1", b"Content-Length: 0"]))
        assert upstream.heads[0].startswith(b"GET /v1/a HTTP/1.1\r\n")
        assert upstream.headers()["head"] == ["GET /evil HTTP/1.1"]


def test_the_upstream_is_told_who_calls() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url, told=CertificateHeaders(xfcc=True)) as server:
        answered(server, request(b"/tenant"))
        headers = upstream.headers()
        assert headers["x-peergate-identity"] == ["billing"]
        assert headers["x-peergate-spiffe-id"] == [BILLING]
        assert len(headers["x-peergate-decision-id"]) == 1
        assert headers["x-tenant"] == ["acme"]
        assert headers["client-cert"] == [f":{base64.b64encode(billing().der).decode()}:"]
        (xfcc,) = headers["x-forwarded-client-cert"]
        assert f'Cert="{quote(billing().pem.decode(), safe="")}"' in xfcc
        assert headers["x-forwarded-for"] == ["127.0.0.1"]
        assert headers["x-forwarded-proto"] == ["https"]


def test_chain_and_xfcc_are_written_only_if_they_were_asked_for() -> None:
    issuing = mesh().intermediate("mesh issuing")
    issued = issuing.issue(uri=[BILLING])
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, request(), Client(issued))
        assert {"client-cert-chain", "x-forwarded-client-cert"}.isdisjoint(upstream.headers())
    chain = CertificateHeaders(chain=True)
    with RecordingUpstream() as upstream, proxying(upstream.url, told=chain) as server:
        answered(server, request(), Client(issued))
        headers = upstream.headers()
        assert headers["client-cert"] == [f":{base64.b64encode(issued.der).decode()}:"]
        assert headers["client-cert-chain"] == [f":{base64.b64encode(issuing.issued.der).decode()}:"]


CLAIMS = [
    b"x-peergate-identity",
    b"X_Peergate_Identity",
    b"x-peergate-spiffe-id",
    b"x-peergate-admin",
    b"X-Forwarded-Client-Cert",
    b"x_forwarded_client_cert",
    b"Client-Cert",
    b"client_cert",
    b"client-cert-chain",
    b"ssl-client-verify",
    b"SSL_CLIENT_CERT",
    b"x-forwarded-tls-client-cert",
    b"x-tenant",
    b"X_Tenant",
    b"x-original-url",
    b"X-Rewrite-Url",
    b"x-http-method-override",
    b"X-Forwarded-For",
    b"Forwarded",
    b"X-Forwarded-Host",
    b"x-real-ip",
]


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("how", [b"", b"Connection: %s", b"Connection: keep-alive, %s"])
def test_a_claim_of_the_client_reaches_no_upstream(name: bytes, how: bytes) -> None:
    listed = [how % name] if how else []
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request(headers=[name + b": evil-claim", *listed]))) == 200
        assert b"evil-claim" not in upstream.heads[0]


@pytest.mark.parametrize(
    "listed",
    [b"x-peergate-identity", b"X-Peergate-Decision-Id", b"x-tenant", b"client-cert", b"x-peergate-spiffe-id, x-tenant"],
)
def test_the_client_cannot_have_removed_what_we_say_of_it(listed: bytes) -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, request(b"/tenant", [b"Connection: " + listed]))
        headers = upstream.headers()
        assert headers["x-peergate-identity"] == ["billing"]
        assert headers["x-tenant"] == ["acme"]
        assert {"client-cert", "x-peergate-decision-id", "x-peergate-spiffe-id"} <= headers.keys()


def test_headers_of_a_connection_end_with_it() -> None:
    sent = [b"Connection: x-hop, Keep-Alive", b"X-Hop: 1", b"Keep-Alive: 5", b"Proxy-Authorization: x", b"TE: trailers"]
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answered(server, request(headers=sent))
        found = upstream.headers()
        assert {"x-hop", "keep-alive", "proxy-authorization", "te", "connection"}.isdisjoint(found)


@pytest.mark.parametrize("listed", [b"host", b"content-length"])
def test_what_frames_a_message_stays_whatever_connection_lists(listed: bytes) -> None:
    sent = request(headers=[b"Content-Length: 5", b"Connection: " + listed], method=b"POST", body=b"hello", close=False)
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        with Client(billing()).connected(server) as connection:
            connection.sendall(sent)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert upstream.headers()["host"] == ["h.example"]
        assert upstream.headers()["content-length"] == ["5"]


def test_an_answer_comes_back_as_it_was_given() -> None:
    given = (
        b"HTTP/1.1 418 Teapot\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
        b"Location: /a/%2e%2e/b\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
    )
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        head, _, body = answered(server, request()).partition(b"\r\n\r\n")
        lines = [line.lower() for line in head.split(b"\r\n")]
        assert lines[0].startswith(b"http/1.1 418")
        assert body == b"\x1f\x8b\x00"
        assert [line for line in lines if line.startswith(b"set-cookie")] == [b"set-cookie: a=1", b"set-cookie: b=2"]
        assert b"location: /a/%2e%2e/b" in lines
        assert b"content-encoding: gzip" in lines
        assert not any(line.startswith(b"x-hop") for line in lines)


@pytest.mark.parametrize("code", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_has_none(code: bytes) -> None:
    given = b"HTTP/1.1 " + code + b"\r\nEtag: x\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        answer = answered(server, request())
        assert status_of(answer) == int(code[:3])
        assert answer.endswith(b"\r\n\r\n")


def test_a_redirect_is_the_clients_business() -> None:
    given = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        assert status_of(answered(server, request())) == 302


def test_head_has_the_length_of_the_answer_and_no_body() -> None:
    given = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with RecordingUpstream(answering(given)) as upstream, proxying(upstream.url) as server:
        answer = answered(server, request(method=b"HEAD"))
        assert b"content-length: 1000" in answer.lower()
        assert answer.endswith(b"\r\n\r\n")


def test_a_denial_names_the_reason() -> None:
    with RecordingUpstream() as upstream, proxying(upstream.url) as server:
        answer = answered(server, request(b"/other"))
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["reason"] == "no_matching_rule"
