"""What Envoy's access log tells beside every record, and what it does not tell exactly."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from extauth.native.limits import MAX_TOLD_HEADERS
from extauth.native.told import (
    NOTHING_MORE,
    Told,
    UntoldError,
    authorities_from_policy,
    fields_from_told,
    headers_from_line,
    presented_from_line,
    told_for,
)
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, presented_from_pem
from policies.peer.reader import PresentedReader
from tests.extauth.native.world import ROOT, policy_of

NAMES = 'rules: [{id: r, allow: {uri: "spiffe://acme.internal/a"}, to: any}]'
SUBJECT = "rules: [{id: r, allow: {not: {any: [{subject: {O: Acme}}]}}, to: any}]"
ISSUED = ROOT.issue(uri=["spiffe://acme.internal/a"], not_after=datetime(2100, 1, 1, tzinfo=UTC))


def by_headers(*names: str) -> str:
    return f"rules: [{{id: r, allow: authenticated, to: {{headers: {{{', '.join(f'{n}: [v]' for n in names)}}}}}}}]"


def test_a_policy_about_names_needs_nothing_more() -> None:
    assert told_for(policy_of(NAMES), None) == told_for(None, None) == NOTHING_MORE
    assert fields_from_told(NOTHING_MORE) == {}


def test_a_policy_about_more_of_the_certificate_has_it_told() -> None:
    assert told_for(policy_of(SUBJECT), None) == Told(certificate=True)


def test_a_next_policy_has_the_certificate_told_and_the_headers_of_both() -> None:
    told = told_for(policy_of(by_headers("x-b")), policy_of(by_headers("x-a", "X-B")))
    assert told == Told(certificate=True, headers=("x-b", "x-a"))


@pytest.mark.parametrize("name", ["x'a", "x%a", "x`a", "x!a"])
def test_a_name_that_would_mean_something_in_an_expression_is_left_out(name: str) -> None:
    told = told_for(policy_of(by_headers(f'"{name}"', "x-a")), None)
    assert told == Told(headers=("x-a",))
    with pytest.raises(UntoldError, match="the header"):
        headers_from_line({"headers": {"x-a": None}}, frozenset({name}))


def test_no_policy_makes_lines_of_any_length() -> None:
    told = told_for(policy_of(by_headers(*(f"x-{number:03}" for number in range(100)))), None)
    assert len(told.headers) == MAX_TOLD_HEADERS


def test_a_next_policy_with_many_headers_pushes_out_none_of_the_policy_in_force() -> None:
    many = policy_of(by_headers(*(f"a-{number:03}" for number in range(100))))
    assert told_for(policy_of(by_headers("z")), many).headers[0] == "z"


LINE: dict[str, Any] = {"headers": {"x-a": "v", "x-b": None, "x-c": "", "x-d": "v,v", "x-e": "é"}, "content_type": None}


def test_headers_are_as_they_were_received_and_what_was_not_is_no_key() -> None:
    names = frozenset({"x-a", "x-b", "x-c", "x-d", "content-type"})
    assert headers_from_line(LINE, names) == {"x-a": ("v",), "x-c": ("",), "x-d": ("v,v",)}
    assert headers_from_line({"content_type": "-"}, frozenset({"content-type"})) == {"content-type": ("-",)}


@pytest.mark.parametrize(
    ("line", "untold"),
    [
        (LINE, "x-e"),
        (LINE, "x-missing"),
        ({"headers": None}, "x-a"),
        ({"headers": "x-a"}, "x-a"),
        ({"headers": {"x-a": 1}}, "x-a"),
        ({"headers": {"x-a": ["v"]}}, "x-a"),
        ({"content_type": "\xff"}, "content-type"),
    ],
    ids=str,
)
def test_a_header_that_is_not_told_exactly_is_not_told(line: dict[str, Any], untold: str) -> None:
    with pytest.raises(UntoldError, match=untold):
        headers_from_line(line, frozenset({untold}))


def told_line(**others: Any) -> dict[str, Any]:
    fingerprints = [presented_from_pem(pem.decode()).leaf.sha256.hex() for pem in (ISSUED.pem, ROOT.pem)]
    line = {"fingerprint": fingerprints[0], "certificate": quote(ISSUED.pem), "chain": ",".join(fingerprints)}
    return {**line, **others}


AUTHORITIES = authorities_from_policy(policy_of(NAMES))


def test_a_certificate_is_the_one_that_extauth_is_shown_with_its_chain() -> None:
    shown = presented_from_pem(ISSUED.pem.decode(), (ISSUED.pem + ROOT.pem).decode())
    assert presented_from_line(told_line(), PresentedReader(), AUTHORITIES) == shown
    alone = told_line(chain=told_line()["fingerprint"])
    assert presented_from_line(alone, PresentedReader(), AUTHORITIES) == presented_from_pem(ISSUED.pem.decode())


def test_without_a_certificate_nobody_is_presented() -> None:
    assert presented_from_line({"fingerprint": None, "chain": None}, PresentedReader(), {}) is NO_CERTIFICATE


@pytest.mark.parametrize(
    "others",
    [{"certificate": None}, {"chain": None}, {"chain": told_line()["chain"] + ",00"}],
    ids=["certificate", "chain", "stranger"],
)
def test_a_certificate_that_is_not_told_whole_is_not_told(others: dict[str, Any]) -> None:
    with pytest.raises(UntoldError, match="certificate"):
        presented_from_line(told_line(**others), PresentedReader(), AUTHORITIES)


def test_a_certificate_that_cannot_be_read_is_malformed_as_for_extauth() -> None:
    read = presented_from_line(told_line(certificate="junk"), PresentedReader(), AUTHORITIES)
    assert isinstance(read, MalformedCertificate)
