"""Whatever Envoy, or something in its place, sends becomes a Request with its facts, or one documented error."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extauth.request import UNREADABLE, check_from_bytes, received_from_check
from extauth.wire.messages import Address, AttributeContext, CheckRequest, HeaderValue
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, PresentedCertificate
from policies.peer.reader import PresentedReader
from policies.reason import Reason
from runtime.check import Received
from runtime.errors import MalformedQuestionError
from runtime.hops import NO_HOPS, TrustedHops
from runtime.limits import MAX_HEADERS
from tests.extauth.world import (
    Service,
    billing,
    billing_by_issuing,
    ip,
    issuing,
    mesh,
    pipe,
    policy,
    policy_of,
    question,
    xfcc,
)
from tests.support.percent import percent_encoded

NOW = mesh().now.timestamp()
HOPS = TrustedHops.parse(("10.0.0.0/8",))


def received(check: CheckRequest, hops: TrustedHops = NO_HOPS) -> Received:
    return received_from_check(check, policy(), PresentedReader(), hops, NOW)


def request(check: CheckRequest, hops: TrustedHops = NO_HOPS) -> Request:
    return received(check, hops).request


def reason(check: CheckRequest) -> Reason:
    return Service().judge.decide(policy(), request(check)).decision.reason


# --- what is there


def test_method_target_and_host_are_those_that_envoy_shows() -> None:
    asked = request(question("PATCH", "/a%2Fb?c=d", "H.Example:8443"))
    assert (asked.method, asked.target, asked.host) == ("PATCH", "/a%2Fb?c=d", "H.Example:8443")


def test_time_is_our_clock_not_envoys() -> None:
    check = question()
    check.attributes.request.time.seconds = 1
    assert request(check).time == NOW


def test_only_headers_that_a_condition_names_are_kept_and_the_content_type() -> None:
    asked = request(question(headers={"x-ring": "beta", "content-type": "text/plain", "authorization": "secret"}))
    assert asked.headers == {"x-ring": ("beta",), "content-type": ("text/plain",)}
    assert asked.seen_headers is None


def test_the_names_of_all_headers_are_told_for_removal() -> None:
    assert set(received(question(headers={"x-any": "1"})).names) == {":method", ":path", ":authority", "x-any"}


def test_raw_headers_keep_order_repetition_and_bytes() -> None:
    asked = request(question(raw_headers=(("x-ring", b"b\xff"), ("x-other", b""), ("x-ring", b"a"))))
    assert asked.headers == {"x-ring": ("b\udcff", "a")}


def test_a_header_value_outside_raw_value_is_read_too() -> None:
    check = question(raw_headers=())
    check.attributes.request.http.header_map.headers.append(HeaderValue(key="x-ring", value="beta"))
    assert request(check).headers == {"x-ring": ("beta",)}


def test_headers_in_both_places_are_both_seen() -> None:
    check = question(headers={"x-ring": "a"})
    check.attributes.request.http.header_map.headers.append(HeaderValue(key="x-ring", raw_value=b"b"))
    assert request(check).headers["x-ring"] == ("a", "b")


def test_both_forms_of_the_same_request_are_equal() -> None:
    """Parity: equal facts make equal requests."""
    combined = question(issued=billing(), headers={"x-ring": "beta"}, sni="a.example")
    raw = question(issued=billing(), raw_headers=(("x-ring", b"beta"),), sni="a.example")
    assert request(combined) == request(raw)


def test_the_trace_id_is_that_of_traceparent() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert received(question(headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})).trace_id == trace


# --- bytes that Envoy cannot show


def test_an_exclamation_mark_in_a_combined_header_is_an_unreadable_byte() -> None:
    """Law 2: Envoy writes `!` for bytes that are not UTF-8, so the header is unknown, not `prod!`."""
    assert request(question(headers={"x-ring": "beta!"})).headers["x-ring"] == (f"beta{UNREADABLE}",)


def test_an_exclamation_mark_in_a_raw_header_is_what_was_sent() -> None:
    assert request(question(raw_headers=(("x-ring", b"beta!"),))).headers["x-ring"] == ("beta!",)


def test_an_exclamation_mark_in_a_path_is_ambiguous_without_raw_headers() -> None:
    """Law 6: over HTTP/2 Envoy forwards `/v1/\\xff` and shows `/v1/!`."""
    assert reason(question(path="/v1/a!", issued=billing())) is Reason.PATH_AMBIGUOUS


def test_an_exclamation_mark_in_a_raw_path_is_what_was_sent() -> None:
    assert reason(question(path="/v1/a!", issued=billing(), raw_headers=())) is Reason.ALLOWED_BY_RULE


def test_an_exclamation_mark_in_the_query_changes_no_verdict() -> None:
    assert reason(question(path="/v1/a?b=!", issued=billing())) is Reason.ALLOWED_BY_RULE


def test_the_raw_path_counts_where_envoy_shows_another_in_http_path() -> None:
    check = question(path="/v1/\xff", issued=billing(), raw_headers=())
    http = check.attributes.request.http
    http.path = "/v1/!"
    next(header for header in http.header_map.headers if header.key == ":path").raw_value = b"/v1/\xff"
    assert request(check).target == "/v1/\udcff"
    assert reason(check) is Reason.PATH_AMBIGUOUS


# --- hosts


def test_authority_host_and_http_host_that_agree_are_one_host() -> None:
    assert request(question(host="a.example", headers={"host": "a.example"})).host == "a.example"


@pytest.mark.parametrize("name", ["host", ":authority"])
def test_a_second_host_makes_the_host_invalid(name: str) -> None:
    assert reason(question(issued=billing(), headers={name: "b.example"})) is Reason.HOST_INVALID


def test_the_same_host_sent_twice_is_two_hosts() -> None:
    check = question(issued=billing(), raw_headers=((":authority", b"invoices.example"),))
    assert request(check).host == "invoices.example,invoices.example"


def test_hosts_that_envoy_joined_are_invalid() -> None:
    assert reason(question(issued=billing(), host="invoices.example,invoices.example")) is Reason.HOST_INVALID


def test_a_host_that_only_a_header_carries_is_the_host() -> None:
    check = question()
    check.attributes.request.http.host = ""
    assert request(check).host == "invoices.example"


def test_no_host_is_an_empty_host() -> None:
    assert request(question(host="")).host == ""
    assert reason(question(host="", issued=billing())) is Reason.HOST_INVALID


# --- the certificate


def test_a_certificate_is_read_from_the_source() -> None:
    peer = request(question(issued=billing())).peer
    assert isinstance(peer, PresentedCertificate)
    assert peer.leaf.der == billing().der


def test_no_certificate_and_no_principal_is_no_certificate() -> None:
    assert request(question()).peer is NO_CERTIFICATE


def test_a_principal_without_a_certificate_is_malformed_never_unauthenticated() -> None:
    """Law 7. The principal is Envoy's word for a certificate that it keeps to itself."""
    check = question(path="/healthz", principal="spiffe://acme.internal/ns/prod/sa/billing")
    assert isinstance(request(check).peer, MalformedCertificate)
    assert reason(check) is Reason.CERTIFICATE_MALFORMED


def test_several_pem_blocks_in_the_source_are_malformed() -> None:
    """Law 7: the source has the leaf, alone."""
    both = percent_encoded(billing().pem + mesh().pem)
    assert reason(question(certificate=both)) is Reason.CERTIFICATE_MALFORMED


@pytest.mark.parametrize(
    "certificate",
    [
        "x",
        "%",
        "%zz",
        "%ff%fe",
        "-----BEGIN%20CERTIFICATE-----",
        percent_encoded(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        "\0",
        "a" * 500_000,
    ],
)
def test_an_unreadable_certificate_is_malformed(certificate: str) -> None:
    assert reason(question(path="/healthz", certificate=certificate)) is Reason.CERTIFICATE_MALFORMED


def test_the_chain_of_xfcc_gives_the_intermediates() -> None:
    alone = question(issued=billing_by_issuing())
    assert reason(alone) is Reason.CERTIFICATE_UNTRUSTED
    with_chain = question(issued=billing_by_issuing(), headers={"x-forwarded-client-cert": xfcc(billing_by_issuing())})
    assert reason(with_chain) is Reason.ALLOWED_BY_RULE


def test_the_chain_of_another_leaf_is_not_used() -> None:
    """Law 7: it is used only if its leaf is byte-equal to `source.certificate`."""
    other = mesh().issue(uri=["spiffe://acme.internal/other"])
    chain = other.pem + issuing().pem
    check = question(
        issued=billing_by_issuing(), headers={"x-forwarded-client-cert": xfcc(billing_by_issuing(), chain=chain)}
    )
    assert reason(check) is Reason.CERTIFICATE_UNTRUSTED


def test_xfcc_without_a_source_certificate_authenticates_nobody() -> None:
    check = question(headers={"x-forwarded-client-cert": xfcc(billing())})
    assert request(check).peer is NO_CERTIFICATE


@pytest.mark.parametrize("value", ["", "Hash=", '"', "Chain=%zz", ",,,", "a" * 200_000, "Cert=1;Cert=2"])
def test_an_unreadable_xfcc_costs_only_its_chain(value: str) -> None:
    check = question(issued=billing(), headers={"x-forwarded-client-cert": value})
    assert reason(check) is Reason.ALLOWED_BY_RULE


# --- addresses, SNI


@pytest.mark.parametrize(
    ("shown", "address"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "2001:db8::7"), ("::ffff:192.0.2.7", "192.0.2.7")],
)
def test_the_source_address_is_the_transport_peers(shown: str, address: str) -> None:
    assert request(question(source=ip(shown))).source_ip == ip_address(address)


@pytest.mark.parametrize("source", [pipe("/run/x.sock"), Address(), ip(""), ip("localhost"), ip("1.2.3"), ip("\0")])
def test_a_source_without_an_ip_address_is_unknown(source: Address) -> None:
    assert request(question(source=source)).source_ip is None


def test_x_forwarded_for_is_not_believed_by_default() -> None:
    """Law 7 and Rules: only behind --trusted-hop."""
    asked = request(question(source=ip("10.1.2.3"), headers={"x-forwarded-for": "192.0.2.66"}))
    assert asked.source_ip == ip_address("10.1.2.3")


def test_behind_a_trusted_hop_the_address_is_the_right_most_that_is_no_hop() -> None:
    check = question(source=ip("10.1.2.3"), headers={"x-forwarded-for": "6.6.6.6, 192.0.2.66, 10.9.9.9"})
    assert request(check, HOPS).source_ip == ip_address("192.0.2.66")


def test_who_is_no_trusted_hop_cannot_forward() -> None:
    check = question(source=ip("192.0.2.1"), headers={"x-forwarded-for": "10.0.0.1"})
    assert request(check, HOPS).source_ip == ip_address("192.0.2.1")


def test_a_trusted_hop_that_forwards_nothing_leaves_the_address_unknown() -> None:
    assert request(question(source=ip("10.1.2.3")), HOPS).source_ip is None


def test_no_tls_session_is_an_unreported_sni() -> None:
    assert request(question()).sni is UNREPORTED


def test_an_empty_sni_is_none_sent() -> None:
    assert request(question(sni="")).sni is None


def test_an_sni_is_told_as_sent() -> None:
    assert request(question(sni="A.Example")).sni == "A.Example"


# --- what is not there, or too much


@pytest.mark.parametrize(
    "check",
    [
        CheckRequest(),
        CheckRequest(attributes=AttributeContext()),
        CheckRequest(attributes=AttributeContext(request=AttributeContext.Request())),
    ],
    ids=["nothing", "no attributes", "no http: the network filter"],
)
def test_a_question_without_an_http_request_is_malformed(check: CheckRequest) -> None:
    with pytest.raises(MalformedQuestionError, match="no HTTP request"):
        received(check)


def test_an_empty_http_request_is_judged_and_denied() -> None:
    empty = CheckRequest(
        attributes=AttributeContext(request=AttributeContext.Request(http=AttributeContext.HttpRequest()))
    )
    assert reason(empty) is Reason.REQUEST_MALFORMED


def test_a_connect_request_without_path_is_malformed() -> None:
    check = question("CONNECT", "", "h:443", issued=billing())
    del check.attributes.request.http.headers[":path"]
    assert reason(check) is Reason.REQUEST_MALFORMED


def test_two_paths_are_malformed() -> None:
    with pytest.raises(MalformedQuestionError, match="more than one :path"):
        received(question(raw_headers=((":path", b"/b"),)))


def test_more_headers_than_any_envoy_sends_are_malformed() -> None:
    with pytest.raises(MalformedQuestionError, match="more than 1000 headers"):
        received(question(headers={f"x-{number}": "" for number in range(MAX_HEADERS)}))


def test_a_hundred_thousand_headers_are_malformed() -> None:
    with pytest.raises(MalformedQuestionError, match="headers"):
        received(question(raw_headers=(("x", b""),) * 100_000))


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 10])
def test_bytes_that_are_no_message_are_malformed(message: bytes) -> None:
    with pytest.raises(MalformedQuestionError, match=r"not an envoy\.service\.auth\.v3\.CheckRequest"):
        check_from_bytes(message)


def test_text_that_is_not_utf_8_is_malformed() -> None:
    good = question(path="/v1/MARK").SerializeToString()
    with pytest.raises(MalformedQuestionError):
        check_from_bytes(good.replace(b"MARK", b"\xff\xfe\xfd\xfc"))


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(message: bytes) -> None:
    try:
        received(check_from_bytes(message))
    except MalformedQuestionError:
        return


@given(
    st.text(max_size=30).filter(lambda text: text.isprintable()),
    st.text(max_size=30),
    st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5),
    st.text(max_size=40),
    st.text(max_size=20),
)
def test_any_question_is_read_and_denied_without_a_certificate(
    method: str, path: str, headers: dict[str, str], principal: str, address: str
) -> None:
    texts = (method, path, principal, address, *headers, *headers.values())
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        return
    check = question(method, path, "nowhere.example", headers=headers, principal=principal, source=ip(address))
    assert not Service().judge.decide(policy(), request(check)).permitted


def test_without_a_policy_the_content_type_is_still_told() -> None:
    asked = received_from_check(
        question(headers={"content-type": "a/b", "x-ring": "beta"}), None, PresentedReader(), NO_HOPS, NOW
    )
    assert asked.request.headers == {"content-type": ("a/b",)}


def test_a_header_is_read_for_the_policy_that_judges() -> None:
    """Law 5: what one generation names, another does not."""
    other = policy_of(
        "version: 1\ntrust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal}}\n"
        "rules: [{id: a, allow: authenticated, to: {paths: [/a], headers: {x-other: [b]}}}]\n"
    )
    check = question(headers={"x-ring": "a", "x-other": "b"})
    assert received_from_check(check, other, PresentedReader(), NO_HOPS, NOW).request.headers == {"x-other": ("b",)}
