"""The HTTP form shows less and believes less: only a trusted hop is listened to, and what is not shown is unknown."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from extauth.http_request import RAW_TARGET, HttpReader, Scope
from extauth.request import UNREADABLE
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from policies.reason import Reason
from runtime.check import Received
from runtime.errors import MalformedQuestionError, UntrustedHopError
from runtime.hops import NO_HOPS, TrustedHops
from runtime.limits import MAX_HEADERS
from tests.extauth.world import Service, billing, billing_by_issuing, mesh, policy, xfcc

NOW = mesh().now.timestamp()
HOPS = TrustedHops.parse(("127.0.0.1/32",))
ENVOY = ("127.0.0.1", 5000)


def scope(
    method: str = "GET",
    target: bytes = b"/v1/invoices",
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    host: bytes | None = b"invoices.example",
    client: tuple[str, int] | None = ENVOY,
) -> Scope:
    hosts = [] if host is None else [(b"host", host)]
    return {
        "type": "http",
        "method": method,
        "path": "/decoded/and/never/read",
        "raw_path": b"/never/read",
        RAW_TARGET: target,
        "query_string": b"",
        "headers": [*hosts, (b"content-length", b"0"), *headers],
        "client": client,
    }


def with_certificate(value: str) -> tuple[bytes, bytes]:
    return b"x-forwarded-client-cert", value.encode()


def received(
    asked: Scope, hops: TrustedHops = HOPS, seen: Sequence[str] = (), judging: PolicySet | None = None
) -> Received:
    return HttpReader(PresentedReader(), hops, seen).received_from_scope(asked, judging or policy(), NOW)


def request(asked: Scope, hops: TrustedHops = HOPS, seen: Sequence[str] = ()) -> Request:
    return received(asked, hops, seen).request


def reason(asked: Scope) -> Reason:
    return Service().judge.decide(policy(), request(asked)).decision.reason


# --- who is believed


def test_a_trusted_hop_is_listened_to() -> None:
    assert reason(scope(headers=[with_certificate(xfcc(billing()))])) is Reason.ALLOWED_BY_RULE


@pytest.mark.parametrize("client", [("192.0.2.1", 1), ("::1", 1), ("", 0), ("localhost", 1)])
def test_anybody_else_is_refused_with_the_flag_that_is_missing(client: tuple[str, int]) -> None:
    """Law 7: the whole message is hearsay."""
    with pytest.raises(UntrustedHopError, match="--trusted-hop CIDR"):
        received(scope(client=client))


def test_nobody_is_trusted_by_default() -> None:
    with pytest.raises(UntrustedHopError):
        received(scope(), NO_HOPS)


def test_a_unix_socket_is_trusted_only_if_it_is_listed() -> None:
    with pytest.raises(UntrustedHopError, match="--trusted-hop unix"):
        received(scope(client=None))
    assert received(scope(client=None), TrustedHops.parse(("unix",)))


def test_an_ipv4_mapped_peer_is_ipv4() -> None:
    assert received(scope(client=("::ffff:127.0.0.1", 1)))


# --- what is asked


def test_the_target_is_the_bytes_received_and_never_the_decoded_path() -> None:
    asked = request(scope("PATCH", b"/a%2fb/../c//d?e=%2e", host=b"H.Example:1"))
    assert (asked.method, asked.target, asked.host) == ("PATCH", "/a%2fb/../c//d?e=%2e", "H.Example:1")


def test_a_server_that_does_not_show_the_raw_target_is_refused() -> None:
    asked = scope()
    del asked[RAW_TARGET]
    with pytest.raises(MalformedQuestionError, match="request target as received"):
        received(asked)


def test_an_exclamation_mark_in_the_path_is_ambiguous() -> None:
    """Law 6: Envoy writes it for bytes that are not UTF-8."""
    asked = scope(target=b"/v1/a!", headers=[with_certificate(xfcc(billing()))])
    assert reason(asked) is Reason.PATH_AMBIGUOUS


def test_raw_bytes_in_the_path_are_ambiguous() -> None:
    asked = scope(target=b"/v1/\xc3\xa9", headers=[with_certificate(xfcc(billing()))])
    assert reason(asked) is Reason.PATH_AMBIGUOUS


@pytest.mark.parametrize("second", [b"other.example", b"invoices.example"])
def test_two_host_lines_are_no_host(second: bytes) -> None:
    asked = scope(headers=[(b"host", second), with_certificate(xfcc(billing()))])
    assert reason(asked) is Reason.HOST_INVALID


def test_no_host_line_is_an_empty_host() -> None:
    assert request(scope(host=None)).host == ""


def test_an_absolute_target_with_another_host_is_refused() -> None:
    asked = scope(target=b"http://other.example/v1/a", headers=[with_certificate(xfcc(billing()))])
    assert reason(asked) is Reason.HOST_INVALID


# --- the certificate


def test_no_xfcc_is_no_certificate() -> None:
    assert request(scope()).peer is NO_CERTIFICATE


def test_the_certificate_is_cert_of_xfcc_and_chain_gives_the_intermediates() -> None:
    asked = scope(headers=[with_certificate(xfcc(billing_by_issuing()))])
    peer = request(asked).peer
    assert isinstance(peer, PresentedCertificate)
    assert peer.leaf.der == billing_by_issuing().der
    assert reason(asked) is Reason.ALLOWED_BY_RULE


@pytest.mark.parametrize(
    "value", ["x", "Hash=" + "0" * 64, 'By=a;Subject="";URI=spiffe://acme.internal/ns/prod/sa/billing', ","]
)
def test_an_xfcc_without_a_readable_certificate_is_malformed_never_unauthenticated(value: str) -> None:
    asked = scope(target=b"/healthz", headers=[with_certificate(value)])
    assert isinstance(request(asked).peer, MalformedCertificate)
    assert reason(asked) is Reason.CERTIFICATE_MALFORMED


def test_two_xfcc_lines_are_malformed() -> None:
    """A hop that replaces the header sends one; with two, the first was the client's."""
    line = with_certificate(xfcc(billing()))
    with pytest.raises(MalformedQuestionError, match="SANITIZE_SET"):
        received(scope(headers=[line, line]))


def test_an_empty_xfcc_line_is_no_certificate() -> None:
    assert request(scope(headers=[with_certificate("")])).peer is NO_CERTIFICATE


# --- headers that are shown


def test_what_envoy_always_shows_and_what_it_is_told_to_show_is_seen() -> None:
    assert request(scope(), seen=["x-ring"]).seen_headers == frozenset(
        {"authorization", "content-length", "host", "x-ring"}
    )


def test_a_header_that_is_seen_and_named_by_a_condition_is_kept() -> None:
    asked = scope(headers=[(b"x-ring", b"beta"), (b"content-type", b"a/b"), (b"x-other", b"1")])
    assert request(asked, seen=["x-ring", "x-other"]).headers == {"x-ring": ("beta",)}


def test_a_header_that_is_not_said_to_be_seen_is_unknown_even_if_it_came() -> None:
    """Law 2: whether it always comes is what counts; its absence must not mean anything."""
    asked = request(scope(headers=[(b"x-ring", b"beta")]))
    assert asked.headers == {}
    assert asked.seen_headers is not None
    assert "x-ring" not in asked.seen_headers


def test_repeated_lines_keep_their_order() -> None:
    asked = scope(headers=[(b"x-ring", b"a"), (b"x-ring", b"\xff!")])
    assert request(asked, seen=["x-ring"]).headers["x-ring"] == ("a", f"\udcff{UNREADABLE}")


def test_names_are_compared_without_case() -> None:
    asked = scope(headers=[(b"X-Forwarded-Client-Cert", xfcc(billing()).encode()), (b"X-Ring", b"a"), (b"X-B", b"b")])
    found = received(asked, seen=["x-ring"])
    assert isinstance(found.request.peer, PresentedCertificate)
    assert found.request.headers == {"x-ring": ("a",)}
    assert list(found.names)[-1] == "x-b"


def test_the_names_of_all_headers_are_told_for_removal() -> None:
    names = received(scope(headers=[(b"x_peergate_identity", b"1"), (b"\xff", b"1")])).names
    assert names == ["host", "content-length", "x_peergate_identity", "\xff"]


def test_more_headers_than_any_envoy_sends_are_malformed() -> None:
    with pytest.raises(MalformedQuestionError, match="headers"):
        received(scope(headers=[(b"x", b"")] * (MAX_HEADERS + 1)))


# --- facts that HTTP does not carry


def test_the_sni_is_not_reported() -> None:
    assert request(scope()).sni is UNREPORTED


def test_the_hops_own_address_is_not_the_clients() -> None:
    assert request(scope()).source_ip is None


def test_x_forwarded_for_gives_the_address_if_the_operator_says_that_it_is_shown() -> None:
    asked = scope(headers=[(b"x-forwarded-for", b"6.6.6.6, 192.0.2.9")])
    assert request(asked).source_ip is None
    assert request(asked, seen=["x-forwarded-for"]).source_ip == ip_address("192.0.2.9")


def test_several_x_forwarded_for_lines_are_one_list() -> None:
    asked = scope(headers=[(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"192.0.2.2, 127.0.0.1")])
    balancers = TrustedHops.of_balancers(("127.0.0.0/8",))
    reader = HttpReader(PresentedReader(), HOPS, ["x-forwarded-for"], balancers)
    assert reader.received_from_scope(asked, policy(), NOW).request.source_ip == ip_address("192.0.2.2")


def test_a_caller_in_the_network_of_the_trusted_hops_cannot_choose_its_address() -> None:
    asked = scope(headers=[(b"x-forwarded-for", b"10.20.0.1, 127.0.0.1")])
    assert request(asked, seen=["x-forwarded-for"]).source_ip == ip_address("127.0.0.1")


def test_the_trace_id_is_that_of_traceparent() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    asked = scope(headers=[(b"traceparent", f"00-{trace}-b7ad6b7169203331-01".encode())])
    assert received(asked).trace_id == trace


def test_without_a_policy_it_is_read_all_the_same() -> None:
    reader = HttpReader(PresentedReader(), HOPS, ["x-ring"])
    asked = reader.received_from_scope(scope(headers=[(b"x-ring", b"a")]), None, NOW)
    assert asked.request.headers["x-ring"] == ("a",)
