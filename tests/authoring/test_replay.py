"""Every line gets its answer, whatever it holds."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.authoring.replay import Replay
from policies.authoring.replay_request import REQUEST_FIELDS
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import decision_record, line_from_record
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented, presented_from_der
from policies.reason import Effect, Reason
from tests.authoring.policies import MESH, NOW, PARTNERS, POLICY, policy_from_text

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
READ = {"identity": {"uri": BILLING}, "method": "GET", "host": "invoices.prod.svc", "path": "/v1/invoices/7?page=2"}


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text()


@pytest.fixture(scope="module")
def replay(policy: PolicySet) -> Replay:
    return Replay(policy, NOW.timestamp)


def answer(replay: Replay, line: dict[str, Any] | str) -> dict[str, Any]:
    return replay.answer((line if isinstance(line, str) else json.dumps(line)).encode())


def test_a_line_is_judged_by_the_policy(replay: Replay, policy: PolicySet) -> None:
    found = answer(replay, READ)
    assert (found["effect"], found["reason"], found["rules"]) == ("allow", "allowed_by_rule", ["billing-reads"])
    assert found["identities"] == ["billing"]
    assert found["generation"] == policy.generation


def test_an_identity_line_says_that_certificate_checks_are_skipped(replay: Replay) -> None:
    assert answer(replay, READ)["checks"] == "skipped"


def test_a_certificate_line_is_checked_and_says_nothing_of_skipping(replay: Replay) -> None:
    leaf = MESH.issue(uri=[BILLING])
    found = answer(replay, {**_without_identity(), "certificate": leaf.pem.decode()})
    assert found["effect"] == "allow"
    assert "checks" not in found


def test_a_chain_line_brings_its_intermediates(replay: Replay) -> None:
    leaf = MESH.intermediate("issuing").issue(uri=[BILLING])
    alone = {**_without_identity(), "certificate": leaf.pem.decode()}
    chain = [leaf.pem.decode(), *(_pem(ca) for ca in leaf.intermediates)]
    assert answer(replay, alone)["reason"] == "certificate_untrusted"
    assert answer(replay, {**_without_identity(), "chain": chain})["effect"] == "allow"


def test_an_expired_certificate_is_judged_at_the_time_of_the_line(replay: Replay) -> None:
    leaf = MESH.issue(uri=[BILLING], not_after=NOW + timedelta(hours=1)).pem.decode()
    line = {**_without_identity(), "certificate": leaf}
    assert answer(replay, {**line, "time": NOW.timestamp()})["effect"] == "allow"
    assert answer(replay, {**line, "time": "2026-03-04T13:00:01Z"})["reason"] == "certificate_expired"


def test_a_certificate_of_a_foreign_ca_is_untrusted(replay: Replay) -> None:
    leaf = PARTNERS.issue(uri=[BILLING]).pem.decode()
    assert answer(replay, {**_without_identity(), "certificate": leaf})["effect"] == "deny"


@pytest.mark.parametrize(
    "said",
    [
        {"certificate": ""},
        {"certificate": "garbage"},
        {"certificate": MESH.pem.decode() * 2},
        {"certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
        {"certificate": "-----BEGIN CERTIFICATE-----\n" + "A" * 100_000},
        {"certificate": "\u00e9"},
        {"chain": []},
        {"chain": ["garbage"]},
        {"chain": [MESH.pem.decode()] * 20},
    ],
)
def test_a_certificate_that_cannot_be_read_is_malformed_and_never_absent(replay: Replay, said: dict[str, Any]) -> None:
    assert answer(replay, {**_without_identity(), **said})["reason"] == "certificate_malformed"


def test_a_line_without_a_caller_is_unauthenticated(replay: Replay) -> None:
    assert answer(replay, _without_identity())["reason"] == "no_certificate"


def test_an_identity_that_no_entry_of_the_policy_vouches_for_is_untrusted(replay: Replay) -> None:
    found = answer(replay, {**READ, "identity": {"uri": BILLING, "trust": ["gone"]}})
    assert (found["effect"], found["reason"], found["checks"]) == ("deny", "certificate_untrusted", "skipped")


def test_a_spiffe_id_of_a_foreign_trust_domain_is_untrusted(replay: Replay) -> None:
    found = answer(replay, {**READ, "identity": {"uri": "spiffe://evil.internal/ns/prod/sa/billing"}})
    assert (found["effect"], found["reason"]) == ("deny", "certificate_untrusted")


def test_a_spiffe_id_under_another_entry_is_nobody(replay: Replay) -> None:
    assert answer(replay, {**READ, "identity": {"uri": BILLING, "trust": ["partners"]}})["reason"] == "no_matching_rule"


def test_changed_says_whether_the_effect_differs_from_that_of_the_line(replay: Replay) -> None:
    assert answer(replay, {**READ, "effect": "allow"})["changed"] is False
    assert answer(replay, {**READ, "effect": "deny"})["changed"] is True
    assert "changed" not in answer(replay, READ)


def test_a_line_that_cannot_be_read_but_was_allowed_has_changed(replay: Replay) -> None:
    found = answer(replay, {"method": 5, "effect": "allow"})
    assert (found["reason"], found["changed"]) == ("request_malformed", True)


def test_a_field_that_means_nothing_is_named_in_the_answer(replay: Replay) -> None:
    assert answer(replay, {**READ, "certficate": "x", "id": 7})["ignored"] == ["certficate"]


def test_a_shadow_decision_is_told(replay: Replay) -> None:
    found = answer(replay, {**READ, "time": "2026-07-01T00:00:00Z"})
    assert found["effect"] == "allow"
    assert found["shadow"]["rules"] == ["closing"]


def test_captures_and_headers_are_told(replay: Replay) -> None:
    line = {"identity": {"uri": "spiffe://acme.internal/tenant/x"}, "method": "GET", "host": "files.prod.svc"}
    found = answer(replay, {**line, "path": "/tenants/x/a"})
    assert (found["captures"], found["headers"]) == ({"tenant": "x"}, {"x-tenant": "x"})


def test_headers_take_one_value_or_several(replay: Replay) -> None:
    line = {"identity": {"uri": BILLING}, "method": "POST", "host": "ledger.prod.svc", "path": "/acme.Ledger/Post"}
    grpc = {**line, "source_ip": "10.20.0.1"}
    assert answer(replay, {**grpc, "headers": {"Content-Type": "application/grpc"}})["effect"] == "allow"
    assert answer(replay, {**grpc, "headers": {"content-type": ["application/grpc"] * 2}})["effect"] == "deny"


def test_law_2_an_address_that_is_left_out_is_unknown_and_denies(replay: Replay) -> None:
    line = {"identity": {"uri": BILLING}, "method": "POST", "host": "ledger.prod.svc", "path": "/acme.Ledger/Post"}
    found = answer(replay, {**line, "headers": {"content-type": "application/grpc"}})
    assert (found["rules"], found["unknown"]) == (["pci-only"], ["pci-only: source address"])


def test_an_ipv4_mapped_address_is_ipv4(replay: Replay) -> None:
    line = {"identity": {"uri": BILLING}, "method": "POST", "host": "ledger.prod.svc", "path": "/acme.Ledger/Post"}
    headers = {"content-type": "application/grpc"}
    assert answer(replay, {**line, "headers": headers, "source_ip": "::ffff:10.20.0.1"})["effect"] == "allow"


@pytest.mark.parametrize(
    ("sni", "expected"),
    [
        ({}, Reason.SNI_MISMATCH),
        ({"sni": None}, Reason.SNI_MISMATCH),
        ({"sni": "invoices.prod.svc"}, Reason.ALLOWED_BY_RULE),
    ],
)
def test_a_server_name_is_compared_where_the_policy_is_strict(sni: dict[str, Any], expected: Reason) -> None:
    strict = Replay(policy_from_text(f"strict_sni: true\n{POLICY}"), NOW.timestamp)
    assert answer(strict, {**READ, **sni})["reason"] == expected


@pytest.mark.parametrize(
    "said",
    [
        {"host": None},
        {"host": ""},
        {"host": "a b"},
        {"headers": {"Host": "other.prod.svc"}},
        {"headers": {":authority": "other.prod.svc"}},
        {"headers": {"host": ["invoices.prod.svc", "invoices.prod.svc"]}},
    ],
)
def test_anything_but_one_host_is_host_invalid(replay: Replay, said: dict[str, Any]) -> None:
    assert answer(replay, {**READ, **said})["reason"] == "host_invalid"


def test_a_host_that_a_header_repeats_is_one_host(replay: Replay) -> None:
    assert answer(replay, {**READ, "headers": {"host": "invoices.prod.svc"}})["effect"] == "allow"


@pytest.mark.parametrize(
    "said",
    [
        {"method": None},
        {"method": 5},
        {"method": ["GET"]},
        {"path": None},
        {"path": ""},
        {"path": {}},
        {"path": "/\ud800"},
        {"host": 7},
        {"host": "\udfff"},
        {"headers": []},
        {"headers": "x"},
        {"headers": {"": "x"}},
        {"headers": {"\u00e9": "x"}},
        {"headers": {"x": 5}},
        {"headers": {"x": ["a", None]}},
        {"headers": {"x": "\ud800"}},
        {"headers": {f"x-{n}": "v" for n in range(300)}},
        {"source_ip": 5},
        {"source_ip": "10.0.0.1:80"},
        {"source_ip": "fe80::1%eth0"},
        {"source_ip": "10.0.0.0/8"},
        {"sni": 5},
        {"sni": "\ud800"},
        {"time": True},
        {"time": []},
        {"time": -1},
        {"time": 10**15},
        {"time": "yesterday"},
        {"time": "2026-13-01T00:00:00Z"},
        {"time": "2026-12-01T00:00:00"},
        {"effect": "maybe"},
        {"effect": ["allow"]},
        {"identity": []},
        {"identity": "x"},
        {"identity": {"urls": ["x"]}},
        {"identity": {"uri": 5}},
        {"identity": {"uri": [None]}},
        {"identity": {"dns": "a.example"}},
        {"identity": {"subject": "no equals sign"}},
        {"identity": {"serial": "zz"}},
        {"certificate": MESH.pem.decode()},
        {"identity": None, "certificate": 5},
        {"identity": None, "certificate": "x", "chain": ["x"]},
        {"identity": None, "chain": [5]},
    ],
)
def test_a_line_with_a_value_of_no_meaning_is_request_malformed(replay: Replay, said: dict[str, Any]) -> None:
    found = answer(replay, {**READ, **said})
    assert (found["effect"], found["reason"]) == ("deny", "request_malformed")
    assert found["problems"]


def test_a_header_byte_that_is_not_utf_8_is_unknown_not_malformed(replay: Replay) -> None:
    assert answer(replay, {**READ, "headers": {"x": "\udcff"}})["effect"] == "allow"


@pytest.mark.parametrize("line", ["", "null", "{", '{"method": 1, "method": 2}', "[" * 100_000])
def test_a_line_that_is_no_object_is_request_malformed(replay: Replay, line: str) -> None:
    assert answer(replay, line)["reason"] == "request_malformed"


def test_null_is_a_field_that_is_left_out(replay: Replay) -> None:
    nothing: dict[str, Any] = {"certificate": None, "chain": None, "headers": None, "source_ip": None, "time": None}
    assert answer(replay, {**READ, **nothing})["effect"] == "allow"


def _record(policy: PolicySet, peer: Presented, **said: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "method": "GET",
        "target": "/v1/invoices/7",
        "host": "invoices.prod.svc",
        "headers": {},
        "seen_headers": None,
        "source_ip": None,
        "sni": UNREPORTED,
        "time": NOW.timestamp(),
    }
    request = Request(peer=peer, **{**facts, **said})
    record = decision_record(
        evaluate(policy, request),
        request,
        decision_id="0" * 32,
        enforcement="extauth",
        time=request.time,
        latency=0,
        labels={},
    )
    found: dict[str, Any] = json.loads(line_from_record(record))
    return found


@pytest.mark.parametrize(
    "peer",
    [
        NO_CERTIFICATE,
        MalformedCertificate("garbage"),
        presented_from_der(MESH.issue(uri=[BILLING]).der),
        presented_from_der(MESH.issue(uri=[BILLING], not_after=NOW - timedelta(minutes=1)).der),
        presented_from_der(PARTNERS.issue(dns=["gw.partner.example"]).der),
    ],
)
@pytest.mark.parametrize("target", ["/v1/invoices/7", "/v1/invoices/../x", "", "/other"])
def test_law_10_a_record_is_answered_as_it_was_decided(policy: PolicySet, peer: Presented, target: str) -> None:
    record = _record(policy, peer, target=target)
    found = answer(Replay(policy, NOW.timestamp), record)
    assert [found[name] for name in ("effect", "reason", "rules")] == [
        record[name] for name in ("effect", "reason", "rules")
    ]
    assert found["changed"] is False


def test_a_record_keeps_its_decision_id(policy: PolicySet, replay: Replay) -> None:
    assert answer(replay, _record(policy, NO_CERTIFICATE))["decision_id"] == "0" * 32


def test_a_record_of_a_verified_caller_is_not_checked_again_and_says_so(policy: PolicySet, replay: Replay) -> None:
    leaf = presented_from_der(MESH.issue(uri=[BILLING]).der)
    assert answer(replay, _record(policy, leaf))["checks"] == "skipped"


def test_a_record_under_another_policy_shows_the_change(policy: PolicySet) -> None:
    record = _record(policy, presented_from_der(MESH.issue(uri=[BILLING]).der))
    closed = policy_from_text(POLICY.replace("mode: shadow, when: {after: 2026-06-01T00:00:00Z}", "labels: {x: y}"))
    found = answer(Replay(closed, NOW.timestamp), record)
    assert (found["effect"], found["rules"], found["changed"]) == ("deny", ["closing"], True)


def test_a_record_that_is_cut_off_is_request_malformed(policy: PolicySet, replay: Replay) -> None:
    record = _record(policy, NO_CERTIFICATE)
    del record["url.path"]
    assert answer(replay, record)["reason"] == "request_malformed"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_RECORD_FIELDS = ("@timestamp", "http.request.method", "url.path", "url.domain", "identity.presented", "raw")
_FIELDS = st.sampled_from([*sorted(REQUEST_FIELDS), "effect", "decision_id", *_RECORD_FIELDS])


@settings(deadline=None)
@given(st.dictionaries(_FIELDS, _VALUES))
def test_law_every_object_gets_an_answer_and_none_is_an_internal_error(fields: dict[str, Any]) -> None:
    found = answer(_REPLAY, {**READ, **fields})
    assert found["effect"] in set(Effect)
    assert found["reason"] in set(Reason) - {Reason.INTERNAL_ERROR}


@given(st.binary(max_size=300))
def test_law_no_bytes_are_allowed(line: bytes) -> None:
    assert _REPLAY.answer(line)["effect"] == "deny"


_REPLAY = Replay(policy_from_text(), NOW.timestamp)


def _without_identity() -> dict[str, Any]:
    return {name: value for name, value in READ.items() if name != "identity"}


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
