"""Law 10: a record replayed with its generation and time gives the same effect, reason and rules."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pki.authority import Authority
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import (
    Enforcement,
    decision_record,
    line_from_record,
    timestamp_from_epoch,
)
from policies.engine.record_lines import RecordLines
from policies.engine.recorded import RecordError, epoch_from_timestamp, request_from_record
from policies.engine.request import UNREPORTED, Request
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import (
    NO_CERTIFICATE,
    AssertedIdentity,
    MalformedCertificate,
    Presented,
    presented_from_der,
)
from policies.reason import Effect, Reason
from runtime.live_policy import loaded_from_reading
from runtime.policy_source import PolicySource

ROOT = Authority.root("mesh")
NOW = ROOT.now.timestamp()
RICH = ROOT.issue(
    dns=["a.partner.example", "b.partner.example"],
    email=["ops@partner.example"],
    ip=["192.0.2.7", "2001:db8::7"],
    subject="CN=caf\\C3\\A9 \\#1,OU=a\\,b,O=Partner Inc",
    serial=0xA0B1,
)
BILLING = ROOT.issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"])
TENANT = ROOT.issue(uri=["spiffe://acme.internal/tenant/t-1"])
FOREIGN = Authority.root("other").intermediate("below").issue(uri=["spiffe://acme.internal/ns/prod/sa/billing"])
EXPIRED = ROOT.issue(uri=["spiffe://acme.internal/a"], not_after=ROOT.now - timedelta(minutes=1))

PEERS: Mapping[str, Presented] = {
    "nobody": NO_CERTIFICATE,
    "malformed": MalformedCertificate("not DER"),
    "billing": presented_from_der(BILLING.der),
    "tenant": presented_from_der(TENANT.der),
    "rich": presented_from_der(RICH.der),
    "expired": presented_from_der(EXPIRED.der),
    "foreign": presented_from_der(FOREIGN.der, [b"no certificate", b""]),
    "asserted": AssertedIdentity(
        IdentityFacts(uri=("spiffe://acme.internal/ns/prod/sa/billing",), dns=None, ip=None),
        frozenset({"mesh"}),
        b"asserted key",
    ),
}

POLICY = """\
version: 1
strict_sni: false
trust:
  mesh: {anchors: [pki/root.pem], spiffe_trust_domain: acme.internal}
  partners: {anchors: [pki/root.pem]}
zones:
  inside: [10.0.0.0/8, "fd00::/8"]
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
  partner:
    trust: partners
    dns: b.partner.example
    email: "*@partner.example"
    ip_san: [192.0.2.0/24]
    subject: {O: partner inc}
    issuer: {CN: mesh}
    serial: a0b1
routes:
  invoices: {hosts: [invoices.prod.svc], methods: [GET], paths: [/v1/invoices]}
  tenants: {paths: ["/tenants/{tenant}/**"]}
  tagged: {paths: [/tagged], headers: {x-env: [prod]}}
  ledger: {grpc: [acme.Ledger/Post]}
  open: {paths: [/open]}
rules:
  - {id: billing-reads, allow: [billing, partner], to: invoices, labels: {ticket: SEC-1}}
  - {id: own-tenant, allow: tenant, to: tenants}
  - {id: tagged, allow: authenticated, to: [tagged, ledger]}
  - {id: inside-only, deny: authenticated, not_from: inside, to: [invoices, tenants]}
  - {id: named, allow: authenticated, to: open, when: {sni: open.prod.svc}}
  - {id: quarantine, deny: billing, to: any, mode: shadow}
"""


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    folder: Path = tmp_path_factory.mktemp("policy")
    (folder / "pki").mkdir()
    (folder / "pki/root.pem").write_bytes(ROOT.pem)
    (folder / "policy.yaml").write_text(POLICY)
    loaded = loaded_from_reading(PolicySource(str(folder)).reading())
    assert loaded.policy is not None, loaded.problems
    return loaded.policy


def ask(peer: Presented, target: str = "/v1/invoices?token=secret", **facts: Any) -> Request:
    given: dict[str, Any] = {
        "method": "GET",
        "host": "invoices.prod.svc",
        "headers": {},
        "seen_headers": None,
        "source_ip": IPv4Address("10.1.2.3"),
        "sni": None,
        "time": NOW,
    }
    return Request(peer=peer, target=target, **(given | facts))


def record_of(policy: PolicySet, request: Request) -> dict[str, Any]:
    """The record as a consumer reads it."""
    return parsed(recorded(evaluate(policy, request), request))


def recorded(decision: Decision, request: Request | None) -> dict[str, object]:
    return decision_record(decision, request, **facts_of_recording(decision, request))


def facts_of_recording(decision: Decision, request: Request | None) -> dict[str, Any]:
    return {
        "decision_id": "ab" * 16,
        "enforcement": Enforcement.EXTAUTH,
        "time": NOW if request is None else request.time,
        "latency": 12.34e-6,
        "labels": {"ticket": "SEC-1"} if decision.rules else {},
    }


def parsed(record: Mapping[str, object]) -> dict[str, Any]:
    line = line_from_record(record)
    assert line.isascii()
    assert "\n" not in line
    # Strict parsers refuse lone surrogates: the text must survive UTF-8.
    found: dict[str, Any] = json.loads(line)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def verdict(decision: Decision) -> tuple[Effect, Reason, tuple[str, ...], tuple[str, ...] | None]:
    shadow = None if decision.shadow is None else decision.shadow.rules
    return decision.effect, decision.reason, decision.rules, shadow


def assert_replays(policy: PolicySet, request: Request) -> None:
    first = evaluate(policy, request)
    again = evaluate(policy, request_from_record(parsed(recorded(first, request))))
    assert verdict(again) == verdict(first)


CASES: Mapping[str, tuple[Request, Reason]] = {
    "allowed": (ask(PEERS["billing"]), Reason.ALLOWED_BY_RULE),
    "allowed by every kind of fact": (ask(PEERS["rich"]), Reason.ALLOWED_BY_RULE),
    "allowed by a binding": (ask(PEERS["tenant"], "/tenants/t-1/a"), Reason.ALLOWED_BY_RULE),
    "another's tenant": (ask(PEERS["tenant"], "/tenants/t-2/a"), Reason.NO_MATCHING_RULE),
    "asserted": (ask(PEERS["asserted"]), Reason.ALLOWED_BY_RULE),
    "outside": (ask(PEERS["billing"], source_ip=IPv4Address("192.0.2.1")), Reason.DENIED_BY_RULE),
    "IPv6": (ask(PEERS["billing"], source_ip=IPv6Address("fd00::1")), Reason.ALLOWED_BY_RULE),
    "no address": (ask(PEERS["billing"], source_ip=None), Reason.DENIED_BY_RULE),
    "no certificate": (ask(NO_CERTIFICATE), Reason.NO_CERTIFICATE),
    "malformed": (ask(PEERS["malformed"]), Reason.CERTIFICATE_MALFORMED),
    "expired": (ask(PEERS["expired"]), Reason.CERTIFICATE_EXPIRED),
    "foreign": (ask(PEERS["foreign"]), Reason.CERTIFICATE_UNTRUSTED),
    "not yet valid": (ask(PEERS["billing"], time=NOW - 86_400), Reason.CERTIFICATE_NOT_YET_VALID),
    "no rule": (ask(PEERS["billing"], "/nothing"), Reason.NO_MATCHING_RULE),
    "hostile path": (ask(PEERS["billing"], "/v1/%2e%2e/x"), Reason.PATH_AMBIGUOUS),
    "raw bytes in the path": (ask(PEERS["billing"], "/v1/\udcff\u2028\n"), Reason.PATH_AMBIGUOUS),
    "two hosts": (ask(PEERS["billing"], host="a,b"), Reason.HOST_INVALID),
    "host of other bytes": (ask(PEERS["billing"], host="\udc80"), Reason.HOST_INVALID),
    "absolute-form": (ask(PEERS["billing"], "http://invoices.prod.svc/v1/invoices?a"), Reason.ALLOWED_BY_RULE),
    "absolute-form of another host": (ask(PEERS["billing"], "http://other/v1/invoices"), Reason.HOST_INVALID),
    "asterisk": (ask(PEERS["billing"], "*", method="OPTIONS"), Reason.REQUEST_MALFORMED),
    "empty": (ask(PEERS["billing"], "", method="", host=""), Reason.REQUEST_MALFORMED),
    "header": (ask(PEERS["billing"], "/tagged", headers={"x-env": ("prod",)}), Reason.ALLOWED_BY_RULE),
    "repeated header": (ask(PEERS["billing"], "/tagged", headers={"x-env": ("prod", "x")}), Reason.NO_MATCHING_RULE),
    "header not shown": (ask(PEERS["billing"], "/tagged", seen_headers=frozenset()), Reason.NO_MATCHING_RULE),
    "odd header": (
        ask(PEERS["billing"], "/tagged", headers={"x-env": ("\udcff",)}),
        Reason.NO_MATCHING_RULE,
    ),
    "gRPC": (
        ask(PEERS["billing"], "/acme.Ledger/Post", method="POST", headers={"content-type": ("application/grpc",)}),
        Reason.ALLOWED_BY_RULE,
    ),
    "SNI": (ask(PEERS["billing"], "/open", sni="open.prod.svc"), Reason.ALLOWED_BY_RULE),
    "no SNI": (ask(PEERS["billing"], "/open", sni=None), Reason.NO_MATCHING_RULE),
    "SNI not reported": (ask(PEERS["billing"], "/open", sni=UNREPORTED), Reason.NO_MATCHING_RULE),
}


@pytest.mark.parametrize("case", CASES)
def test_law_10_a_record_replays_to_the_same_verdict(policy: PolicySet, case: str) -> None:
    request, reason = CASES[case]
    assert evaluate(policy, request).reason is reason
    assert_replays(policy, request)


LONG = "a" * 50_000
TOO_LONG: Mapping[str, tuple[Request, Reason]] = {
    "path": (ask(PEERS["billing"], f"/{LONG}?q"), Reason.REQUEST_MALFORMED),
    "path just too long": (ask(PEERS["billing"], "/" + "a" * 8192), Reason.REQUEST_MALFORMED),
    "path and no host": (ask(PEERS["billing"], f"/{LONG}", host=""), Reason.REQUEST_MALFORMED),
    "path in absolute-form": (
        ask(PEERS["billing"], f"http://invoices.prod.svc/{LONG}"),
        Reason.REQUEST_MALFORMED,
    ),
    "path just too long in absolute-form": (
        ask(PEERS["billing"], "http://invoices.prod.svc/" + "a" * 8192),
        Reason.REQUEST_MALFORMED,
    ),
    "authority": (ask(PEERS["billing"], f"http://{LONG}/v1/invoices"), Reason.HOST_INVALID),
    "authority and path": (ask(PEERS["billing"], f"http://{LONG}/{LONG}"), Reason.REQUEST_MALFORMED),
    "authority without path": (ask(PEERS["billing"], f"http://{LONG}"), Reason.REQUEST_MALFORMED),
    "authority with a fragment": (ask(PEERS["billing"], f"http://{LONG}#/{LONG}"), Reason.REQUEST_MALFORMED),
    "target of no form": (ask(PEERS["billing"], LONG), Reason.REQUEST_MALFORMED),
    "method": (ask(PEERS["billing"], method=LONG), Reason.REQUEST_MALFORMED),
    "method that begins as another": (ask(PEERS["billing"], method=f"CONNECT{LONG}"), Reason.REQUEST_MALFORMED),
    "host": (ask(PEERS["billing"], host=LONG), Reason.HOST_INVALID),
    "host that is no IPv6 address": (ask(PEERS["billing"], host=f"[{LONG}]"), Reason.HOST_INVALID),
    "host with a port": (ask(PEERS["billing"], host=f"{LONG}:99999"), Reason.HOST_INVALID),
    "several hosts": (ask(PEERS["billing"], host=f"invoices.prod.svc,{LONG}"), Reason.HOST_INVALID),
    "server name": (ask(PEERS["billing"], "/open", sni=LONG), Reason.NO_MATCHING_RULE),
    "header of a malformed request": (
        ask(PEERS["billing"], "*", headers={"x-env": (LONG,), "content-type": (LONG,)}),
        Reason.REQUEST_MALFORMED,
    ),
    "bytes in the path": (ask(PEERS["billing"], "/" + "\udcff" * 50_000), Reason.REQUEST_MALFORMED),
}


@pytest.mark.parametrize("case", TOO_LONG)
def test_law_10_a_refused_text_of_any_length_is_recorded_cut_and_replays_to_the_same_verdict(
    policy: PolicySet, case: str
) -> None:
    request, reason = TOO_LONG[case]
    decision = evaluate(policy, request)
    assert decision.reason is reason
    assert_replays(policy, request)
    bound = 12_000 if request.target.isascii() else 200_000
    assert len(RecordLines().line(decision, request, **facts_of_recording(decision, request))) < bound


def test_law_10_a_long_header_that_a_rule_may_have_judged_is_recorded_whole(policy: PolicySet) -> None:
    asked = ask(PEERS["billing"], "/tagged", headers={"x-env": (LONG,)})
    assert record_of(policy, asked)["request.headers"] == {"x-env": [LONG]}


hostile_text = st.text(st.characters(codec=None), max_size=30) | st.binary(max_size=20).map(
    lambda data: data.decode("utf-8", "surrogateescape")
)


@given(
    peer=st.sampled_from(sorted(PEERS)),
    method=st.sampled_from(["GET", "POST"]) | hostile_text,
    target=st.sampled_from(["/v1/invoices", "/tagged", "/open"]) | hostile_text | hostile_text.map("/{}".format),
    host=st.just("invoices.prod.svc") | hostile_text,
    values=st.lists(st.just("prod") | hostile_text, max_size=3),
    seen=st.none() | st.frozensets(st.sampled_from(["x-env", "content-type"])),
    source=st.none() | st.ip_addresses(),
    sni=st.none() | st.just(UNREPORTED) | hostile_text,
    time=st.floats(NOW - 1000, NOW + 100_000),
)
def test_law_10_holds_for_any_request(
    policy: PolicySet,
    peer: str,
    method: str,
    target: str,
    host: str,
    values: list[str],
    seen: frozenset[str] | None,
    source: IPv4Address | IPv6Address | None,
    sni: Any,
    time: float,
) -> None:
    headers = {"x-env": tuple(values), "content-type": tuple(values)} if values else {}
    facts = {"headers": headers, "seen_headers": seen, "source_ip": source, "sni": sni, "time": time}
    assert_replays(policy, ask(PEERS[peer], target, method=method, host=host, **facts))


def test_facts_come_back_complete(policy: PolicySet) -> None:
    peer = PEERS["rich"]
    replayed = request_from_record(record_of(policy, ask(peer))).peer
    assert isinstance(replayed, AssertedIdentity)
    assert replayed.facts == peer.leaf.identity  # type: ignore[union-attr]  # it is a certificate
    assert replayed.trust == {"partners"}


def test_a_fact_that_was_not_shown_stays_unknown_and_one_that_is_absent_stays_absent(policy: PolicySet) -> None:
    record = record_of(policy, ask(PEERS["asserted"]))
    assert (record["identity.dns"], record["identity.email"]) == (None, [])
    replayed = request_from_record(record).peer
    assert isinstance(replayed, AssertedIdentity)
    assert (replayed.facts.dns, replayed.facts.email) == (None, ())


def test_the_query_is_never_recorded_but_that_there_was_one_is(policy: PolicySet) -> None:
    request = ask(PEERS["billing"], "/v1/invoices?token=secret")
    assert "secret" not in line_from_record(recorded(evaluate(policy, request), request))
    record = record_of(policy, request)
    assert (record["url.path"], record["request.query_present"]) == ("/v1/invoices", True)
    assert record_of(policy, ask(PEERS["billing"], "/v1/invoices"))["request.query_present"] is False


def test_names_are_those_of_ecs_where_it_has_one(policy: PolicySet) -> None:
    record = record_of(policy, ask(PEERS["rich"], sni="invoices.prod.svc"))
    assert record["tls.client.x509.serial_number"] == "A0B1"
    assert record["tls.client.issuer"] == "CN=mesh"
    assert record["tls.client.hash.sha256"] == record["tls.client.hash.sha256"].upper()
    assert record["tls.client.server_name"] == "invoices.prod.svc"
    assert record["source.ip"] == "10.1.2.3"
    assert record["http.request.method"] == "GET"
    assert record["identity.ip_san"] == ["192.0.2.7", "2001:db8::7"]
    assert record["identity.spki_sha256"].startswith("sha256:")
    assert record["identity.presented"] == "verified"
    assert "tls.client.certificate_chain" not in record


def test_a_refused_certificate_is_recorded_whole_to_be_judged_again(policy: PolicySet) -> None:
    record = record_of(policy, ask(PEERS["expired"]))
    assert record["identity.presented"] == "refused"
    assert record["tls.client.certificate_chain"] == [EXPIRED.pem.decode()]


@pytest.mark.parametrize("reason", [Reason.POLICY_UNAVAILABLE, Reason.INTERNAL_ERROR])
def test_a_certificate_that_was_not_judged_is_recorded_whole(policy: PolicySet, reason: Reason) -> None:
    request = ask(PEERS["billing"])
    decision = replace(evaluate(policy, request), effect=Effect.DENY, reason=reason, rules=(), trust=())
    record = parsed(recorded(decision, request))
    assert record["identity.presented"] == "unjudged"
    assert evaluate(policy, request_from_record(record)).reason is Reason.ALLOWED_BY_RULE


def test_a_shadow_decision_is_recorded_beside_the_enforced_one(policy: PolicySet) -> None:
    record = record_of(policy, ask(PEERS["billing"]))
    assert record["effect"] == "allow"
    assert record["shadow"] == {"effect": "deny", "reason": "denied_by_rule", "rules": ["quarantine"]}
    assert record_of(policy, ask(PEERS["rich"]))["shadow"] is None


def test_a_request_that_could_not_be_read_leaves_a_record_that_replay_refuses(policy: PolicySet) -> None:
    decision = replace(evaluate(policy, ask(NO_CERTIFICATE)), reason=Reason.REQUEST_MALFORMED, problems=("no path",))
    record = parsed(recorded(decision, None))
    assert (record["reason"], record["problems"]) == ("request_malformed", ["no path"])
    with pytest.raises(RecordError):
        request_from_record(record)


def test_raw_is_there_only_if_a_text_is_not_unicode(policy: PolicySet) -> None:
    assert "raw" in record_of(policy, ask(NO_CERTIFICATE, "/\udcff"))
    for path in ("/\\ud800", "/\u2028", "/\U0001f600", "/é"):
        assert "raw" not in record_of(policy, ask(NO_CERTIFICATE, path))


@pytest.mark.parametrize("case", CASES)
def test_a_line_says_what_the_record_says_whatever_is_remembered(policy: PolicySet, case: str) -> None:
    lines = RecordLines()
    for request in (CASES[case][0], *(request for request, _ in CASES.values()), CASES[case][0]):
        for told in (evaluate(policy, request), replace(evaluate(policy, request), rules=("other",))):
            line = lines.line(told, request, **facts_of_recording(told, request))
            assert json.loads(line) == parsed(recorded(told, request))
            assert line.isascii()
    decision = evaluate(policy, CASES[case][0])
    line = lines.line(decision, None, **facts_of_recording(decision, None))
    assert json.loads(line) == parsed(recorded(decision, None))


@pytest.mark.parametrize("case", CASES)
def test_what_the_next_policy_decides_stands_in_the_record_if_it_differs(policy: PolicySet, case: str) -> None:
    request = CASES[case][0]
    decision = evaluate(policy, request)
    others = [replace(decision, rules=("other",), generation="next"), Decision.refusal(Reason.SNI_MISMATCH, "next", "")]
    lines = RecordLines()
    assert "next" not in parsed(recorded(decision, request))
    for following in (replace(decision, generation="next"), *others):
        facts = facts_of_recording(decision, request) | {"following": following}
        record = parsed(decision_record(decision, request, **facts))
        verdict = {"effect": following.effect, "reason": following.reason, "rules": list(following.rules)}
        assert record["next"] == ({"generation": "next", **verdict} if following in others else None)
        assert json.loads(lines.line(decision, request, **facts)) == record
    assert "next" not in json.loads(lines.line(decision, request, **facts_of_recording(decision, request)))


@pytest.mark.parametrize("text", ["\udcff", '"', "\\", "\n", "\u2028", "\0", "é", "\\ud800"])
def test_no_text_of_a_usual_request_breaks_out_of_its_line(policy: PolicySet, text: str) -> None:
    request = ask(PEERS["billing"])._replace(target=f"/v1/{text}?", host=text, method=text, sni=text)
    decision = replace(evaluate(policy, ask(PEERS["billing"])), identities=(text,), rules=(text,))
    facts = facts_of_recording(decision, request) | {"trace_id": text, "decision_id": text, "labels": {text: text}}
    line = RecordLines().line(decision, request, **facts)
    assert "\n" not in line
    assert json.loads(line) == parsed(decision_record(decision, request, **facts))


@given(st.floats(1e8, 4e9))
def test_a_time_comes_back_as_the_same_float(time: float) -> None:
    assert epoch_from_timestamp(timestamp_from_epoch(time)) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("1970-01-01T00:00:00.5Z", 0.5),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("2026-12-01T00:00:00.000000001Z", 1796083200.000000001),
    ],
)
def test_rfc_3339_times_are_read(text: str, time: float) -> None:
    assert epoch_from_timestamp(text) == time


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00Z\n", "1e9", "٢" * 20],
)
def test_other_times_are_a_record_error(text: str) -> None:
    with pytest.raises(RecordError):
        epoch_from_timestamp(text)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e20, -1e20])
def test_a_time_that_no_calendar_has_is_an_error_and_no_wrong_record(time: float) -> None:
    with pytest.raises((ValueError, OverflowError)):
        timestamp_from_epoch(time)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile_text, inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_whatever_a_record_holds_only_a_record_error_comes_out(policy: PolicySet, data: st.DataObject) -> None:
    request = CASES[data.draw(st.sampled_from(sorted(CASES)))][0]
    record = record_of(policy, request)
    for field in data.draw(st.lists(st.sampled_from([*sorted(record), "raw"]), max_size=3)):
        if data.draw(st.booleans()):
            record.pop(field, None)
        else:
            record[field] = data.draw(json_values)
    try:
        evaluate(policy, request_from_record(record))
    except RecordError:
        return


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identity.presented", "trusted"),
        ("identity.presented", None),
        ("http.request.method", None),
        ("url.path", 7),
        ("source.ip", "10.0.0.0/8"),
        ("source.ip", 7),
        ("request.query_present", "no"),
        ("request.headers", []),
        ("request.headers", {"x": "y"}),
        ("request.seen_headers", "x"),
        ("identity.uri", "spiffe://x"),
        ("identity.ip_san", ["x"]),
        ("tls.client.subject", "no name"),
        ("tls.client.x509.serial_number", "0x10"),
        ("tls.client.hash.sha256", "ab"),
        ("identity.spki_sha256", "sha256:ab"),
        ("identity.spki_sha256", "é"),
        ("raw", "!"),
        ("raw", "MQ=="),
        ("@timestamp", None),
    ],
)
def test_a_field_of_the_wrong_kind_is_a_record_error(policy: PolicySet, field: str, value: object) -> None:
    record = record_of(policy, ask(PEERS["rich"]))
    with pytest.raises(RecordError):
        request_from_record(record | {field: value})


@pytest.mark.parametrize("chain", [[], ["x"], [""], ["x" * 100_000], [7], "x", [EXPIRED.pem.decode()] * 10])
def test_a_chain_that_is_none_is_a_record_error(policy: PolicySet, chain: object) -> None:
    record = record_of(policy, ask(PEERS["expired"]))
    with pytest.raises(RecordError):
        request_from_record(record | {"tls.client.certificate_chain": chain})


def test_a_record_that_is_no_record_is_an_error() -> None:
    with pytest.raises(RecordError):
        request_from_record({})


def test_addresses_in_the_record_are_those_of_the_request(policy: PolicySet) -> None:
    record = record_of(policy, ask(PEERS["billing"], source_ip=ip_address("fd00::1")))
    assert request_from_record(record).source_ip == ip_address("fd00::1")


def test_every_field_is_explained_in_the_docs(policy: PolicySet) -> None:
    text = (Path(__file__).parents[2] / "docs/decision-log.md").read_text(encoding="utf-8")
    records = [record_of(policy, request) for request, _ in CASES.values()]
    fields = {field for record in records for field in record} | {"trace.id"}
    assert {field for field in fields if f"`{field}`" not in text} == set()
