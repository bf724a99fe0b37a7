"""The middleware judges what came over the wire, and builds the request that ext_authz builds of the same facts."""

from typing import Any

import pytest

from extauth.request import received_from_check
from gateway.connection import CONNECTION, TARGET
from gateway.middleware.request import received_from_scope
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE
from policies.peer.reader import PresentedReader
from runtime.errors import MalformedQuestionError
from runtime.hops import NO_HOPS
from runtime.limits import MAX_HEADERS
from tests.extauth.world import billing, billing_by_issuing, policy, question, xfcc
from tests.gateway.middleware.scopes import http_scope, websocket_scope

NOW = 1_800_000_000.0


def read(scope: Any) -> Request:
    return received_from_scope(scope, policy(), PresentedReader(), NOW).request


def test_equal_facts_make_the_request_that_ext_authz_makes() -> None:
    headers = {"x-ring": "beta", "content-type": "text/plain", "x-unread": "1"}
    issued = billing_by_issuing()
    check = question(
        "POST",
        "/v1/a%20b?x=%zz",
        "Invoices.example:443",
        issued=issued,
        headers=headers | {"x-forwarded-client-cert": xfcc(issued)},
        sni="invoices.example",
    )
    scope = http_scope(
        issued,
        method="POST",
        path="/v1/a b",
        raw_path=b"/v1/a%20b",
        query=b"x=%zz",
        headers=[(name.encode(), value.encode()) for name, value in headers.items()],
        host=b"Invoices.example:443",
        sni="invoices.example",
    )
    assert read(scope) == received_from_check(check, policy(), PresentedReader(), NO_HOPS, NOW).request


def test_without_a_certificate_the_requests_are_equal_too() -> None:
    check = question(path="/healthz", sni="")
    scope = http_scope(path="/healthz")
    assert read(scope) == received_from_check(check, policy(), PresentedReader(), NO_HOPS, NOW).request


def test_the_target_as_received_counts_where_the_server_tells_it() -> None:
    scope = http_scope(query=b"")
    scope["extensions"][TARGET] = b"/v1/invoices?"
    assert read(scope).target == "/v1/invoices?"
    scope["extensions"][TARGET] = b"https://other.example/v1/invoices"
    assert read(scope).target == "https://other.example/v1/invoices"


@pytest.mark.parametrize("raw_path", [None, "/v1/invoices", 7])
def test_a_server_that_does_not_show_the_raw_path_cannot_be_judged(raw_path: object) -> None:
    scope = http_scope()
    scope["raw_path"] = raw_path
    with pytest.raises(MalformedQuestionError, match="raw_path"):
        read(scope)


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [("/admin", b"/v1/invoices"), ("/v1/invoices", b"/api/v1/invoices"), ("/a/admin", b"/a%252fadmin"), ("", b"/a")],
)
def test_a_path_that_was_rewritten_on_the_way_cannot_be_judged(path: str, raw_path: bytes) -> None:
    with pytest.raises(MalformedQuestionError, match="outermost"):
        read(http_scope(path=path, raw_path=raw_path))


def test_a_target_of_another_path_cannot_be_judged() -> None:
    scope = http_scope(path="/admin")
    scope["extensions"][TARGET] = b"/v1/invoices"
    with pytest.raises(MalformedQuestionError, match="target"):
        read(scope)


@pytest.mark.parametrize("raw_path", [b"/caf\xc3\xa9", b"/\xff"])
def test_bytes_beyond_ascii_stay_for_law_6_to_refuse(raw_path: bytes) -> None:
    request = read(http_scope(path="/whatever", raw_path=raw_path))
    assert request.target == raw_path.decode("utf-8", "surrogateescape")


def test_two_hosts_are_shown_as_no_host_can_be() -> None:
    scope = http_scope(headers=[(b"Host", b"b.example")], host=b"a.example")
    assert read(scope).host == "a.example,b.example"


def test_no_host_is_an_empty_one() -> None:
    assert read(http_scope(host=None)).host == ""


def test_header_names_count_in_any_case_and_values_keep_their_bytes() -> None:
    request = read(http_scope(headers=[(b"X-Ring", b"b\xff"), (b"x-ring", b"c")]))
    assert request.headers == {"x-ring": ("b\udcff", "c")}


def test_too_many_headers_cannot_be_judged() -> None:
    with pytest.raises(MalformedQuestionError, match="more than"):
        read(http_scope(headers=[(b"a", b"b")] * MAX_HEADERS))


@pytest.mark.parametrize("extensions", [{}, {CONNECTION: None}, {CONNECTION: {"sni": 7}}])
def test_a_server_that_does_not_tell_the_server_name_leaves_it_unreported(extensions: dict[str, Any]) -> None:
    scope = http_scope()
    scope["extensions"] = extensions
    assert read(scope).sni is UNREPORTED


@pytest.mark.parametrize("client", [None, (), ("/run/x.sock", 0), (None, 0), "192.0.2.7", ("testclient", 50000)])
def test_a_peer_without_an_address_has_none(client: object) -> None:
    scope = http_scope()
    scope["client"] = client
    del scope["extensions"][CONNECTION]
    assert read(scope).source_ip is None


def test_our_server_tells_the_transport_peer_whatever_client_was_made() -> None:
    scope = http_scope()
    scope["client"] = ("10.0.0.1", 1)
    assert str(read(scope).source_ip) == "192.0.2.7"


def test_a_websocket_is_a_get() -> None:
    assert read(websocket_scope(billing())).method == "GET"


def test_a_peer_that_is_known_already_is_believed() -> None:
    received = received_from_scope(http_scope(billing()), policy(), PresentedReader(), NOW, NO_CERTIFICATE)
    assert received.request.peer is NO_CERTIFICATE
