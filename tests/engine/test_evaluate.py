"""The laws of the decision, by name."""

from datetime import UTC, datetime

import pytest

from policies.engine.limits import MAX_VERDICTS_OF_CALLER
from policies.engine.request import UNREPORTED
from policies.peer.certificate import IdentityFacts
from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate
from policies.reason import Effect, Reason
from tests.engine.callers import MESH, caller, decided, policy, request, service

TRUST = f"trust: {{mesh: {{anchors: [root.pem], spiffe_trust_domain: {MESH}}}}}\n"
BILLING = f"""
identities:
  billing: {{uri: "spiffe://{MESH}/ns/prod/sa/billing"}}
  any-prod: {{uri: "spiffe://{MESH}/ns/prod/sa/*"}}
routes:
  invoices: {{hosts: [h.example], methods: [GET, HEAD], paths: [/v1/invoices, "/v1/invoices/{{id}}"]}}
"""


def rules(text: str) -> str:
    """A whole policy with these rules."""
    return TRUST + BILLING + "rules:\n" + text


def test_law_1_what_no_rule_allows_is_denied(mesh: dict[str, bytes]) -> None:
    subject = policy(rules("  - {id: a, allow: billing, to: invoices}\n"), mesh)
    decision = decided(subject, request(service("other"), "/v1/invoices"))
    assert (decision.effect, decision.reason, decision.rules) == (Effect.DENY, Reason.NO_MATCHING_RULE, ())


def test_an_allow_names_all_matching_rules_sorted(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: z, allow: billing, to: invoices}\n  - {id: a, allow: any-prod, to: invoices}\n")
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices"))
    assert (decision.effect, decision.reason) == (Effect.ALLOW, Reason.ALLOWED_BY_RULE)
    assert decision.rules == ("a", "z")
    assert decision.identities == ("any-prod", "billing")
    assert decision.trust == ("mesh",)


def test_law_1_a_deny_beats_any_allow(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: any-prod, to: invoices}\n  - {id: b, deny: billing, to: any}\n")
    subject = policy(text, mesh)
    assert decided(subject, request(service("billing"), "/v1/invoices")).rules == ("b",)
    assert decided(subject, request(service("other"), "/v1/invoices")).allowed


def test_captures_of_the_deciding_rules_are_reported(mesh: dict[str, bytes]) -> None:
    decision = decided(
        policy(rules("  - {id: a, allow: billing, to: invoices}\n"), mesh),
        request(service("billing"), "/v1/invoices/4%42"),
    )
    assert dict(decision.captures) == {"id": "4B"}


def test_a_remembered_verdict_is_that_of_the_rules_that_decide(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n  - {id: b, deny: billing, to: {paths: [/v1/invoices/secret]}}\n"
    )
    subject = policy(text, mesh)
    told = [("/v1/invoices", ("a",), {}), ("/v1/invoices/secret", ("b",), {}), ("/v1/invoices/7", ("a",), {"id": "7"})]
    for target, rule_ids, captures in told * 2:
        decision = decided(subject, request(service("billing"), target))
        assert (decision.rules, dict(decision.captures), decision.allowed) == (rule_ids, captures, rule_ids == ("a",))
    assert not decided(subject, request(service("other"), "/v1/invoices")).allowed


def test_more_sets_of_deciding_rules_than_are_remembered_are_told_apart(mesh: dict[str, bytes]) -> None:
    count = MAX_VERDICTS_OF_CALLER + 5
    ids = [f"r{number:02}" for number in range(count)]
    text = "".join(f"  - {{id: {name}, allow: billing, to: {{paths: [/{name}]}}}}\n" for name in ids)
    subject = policy(rules(text), mesh)
    for name in ids * 2:
        assert decided(subject, request(service("billing"), f"/{name}")).rules == (name,)


@pytest.mark.parametrize(
    ("target", "host", "method", "reason"),
    [
        ("/v1/../x", "h.example", "GET", Reason.PATH_AMBIGUOUS),
        ("/v1/invoices", "h.example,h.example", "GET", Reason.HOST_INVALID),
        ("/v1/invoices", "", "GET", Reason.HOST_INVALID),
        ("*", "h.example", "OPTIONS", Reason.REQUEST_MALFORMED),
    ],
)
def test_law_6_a_request_that_cannot_be_judged_is_refused_whatever_the_rules_say(
    mesh: dict[str, bytes], target: str, host: str, method: str, reason: Reason
) -> None:
    text = rules("  - {id: a, allow: authenticated, to: any}\n")
    decision = decided(policy(text, mesh), request(service("billing"), target, host=host, method=method))
    assert (decision.effect, decision.reason) == (Effect.DENY, reason)
    assert decision.problems


def test_a_malformed_certificate_is_refused_before_anything_else(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: unauthenticated, to: invoices}\n")
    decision = decided(policy(text, mesh), request(MalformedCertificate("two blocks"), "/.."))
    assert (decision.reason, decision.problems) == (Reason.CERTIFICATE_MALFORMED, ("two blocks",))


# --- callers without a certificate


def test_no_certificate_is_the_reason_when_none_was_presented(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: billing, to: invoices}\n")
    assert decided(policy(text, mesh), request(NO_CERTIFICATE, "/v1/invoices")).reason is Reason.NO_CERTIFICATE


@pytest.mark.parametrize(
    ("allow", "allowed"),
    [
        ("unauthenticated", True),
        ("authenticated", False),
        ("{not: billing}", False),
        ("{not: authenticated}", False),
        ("[billing, unauthenticated]", True),
        ("{any: [billing, unauthenticated]}", True),
        ("{all: [unauthenticated, {not: billing}]}", True),
        ("{all: [unauthenticated, billing]}", False),
        ("{any: [{not: billing}, {all: [unauthenticated, billing]}]}", False),
        ("{not: {not: unauthenticated}}", False),
    ],
)
def test_an_allow_matches_without_certificate_only_through_unauthenticated_outside_not(
    mesh: dict[str, bytes], allow: str, allowed: bool
) -> None:
    text = rules(f"  - {{id: a, allow: {allow}, to: invoices}}\n")
    assert decided(policy(text, mesh), request(NO_CERTIFICATE, "/v1/invoices")).allowed is allowed


@pytest.mark.parametrize(
    ("deny", "denied"),
    [
        ("anyone", True),
        ("{not: billing}", True),
        ("authenticated", False),
        ("unauthenticated", True),
        ("billing", False),
    ],
)
def test_a_deny_has_no_such_condition(mesh: dict[str, bytes], deny: str, denied: bool) -> None:
    text = rules(f"  - {{id: a, allow: unauthenticated, to: invoices}}\n  - {{id: d, deny: {deny}, to: any}}\n")
    assert decided(policy(text, mesh), request(NO_CERTIFICATE, "/v1/invoices")).allowed is not denied


def test_the_negation_of_a_name_means_authenticated_callers(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: {not: billing}, to: invoices}\n")
    assert decided(policy(text, mesh), request(service("other"), "/v1/invoices")).allowed
    assert not decided(policy(text, mesh), request(service("billing"), "/v1/invoices")).allowed


# --- law 2: unknown


def test_law_2_a_deny_matches_on_unknown_and_an_allow_does_not(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: billing, from: 10.0.0.0/8, to: invoices}\n")
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices", source=None))
    assert (decision.allowed, decision.unknown) == (False, ("a: source address",))
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n  - {id: d, deny: billing, from: 10.0.0.0/8, to: invoices}\n"
    )
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices", source=None))
    assert (decision.rules, decision.unknown) == (("d",), ("d: source address",))


@pytest.mark.parametrize("rule", ["from", "not_from"])
def test_law_2_not_of_unknown_is_unknown(mesh: dict[str, bytes], rule: str) -> None:
    text = rules(f"  - {{id: a, allow: billing, {rule}: 10.0.0.0/8, to: invoices}}\n")
    assert not decided(policy(text, mesh), request(service("billing"), "/v1/invoices", source=None)).allowed


def test_law_2_holds_for_headers(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n"
        "  - {id: d, deny: billing, to: {hosts: [h.example], headers: {x-env: [test]}}}\n"
    )
    subject = policy(text, mesh)
    asked = {
        (): True,
        ("live",): True,
        ("test",): False,
        ("live", "live"): False,
        ("live,test",): False,
        ("\udcff",): False,
    }
    for values, allowed in asked.items():
        headers = {"x-env": values} if values else {}
        assert decided(subject, request(service("billing"), "/v1/invoices", headers=headers)).allowed is allowed
    unseen = decided(subject, request(service("billing"), "/v1/invoices", seen=["x-other"]))
    assert (unseen.rules, unseen.unknown) == (("d",), ("d: headers",))


def test_law_2_holds_for_identities_of_which_only_names_are_known(mesh: dict[str, bytes]) -> None:
    names_only = caller(
        facts=IdentityFacts(
            uri=(f"spiffe://{MESH}/ns/prod/sa/billing",), dns=None, email=None, ip=None, serial=None, spki_sha256=None
        )
    )
    text = rules("  - {id: a, allow: any-prod, to: invoices}\n  - {id: d, deny: {serial: ff}, to: any}\n")
    decision = decided(policy(text, mesh), request(names_only, "/v1/invoices"))
    assert (decision.rules, decision.unknown) == (("d",), ("d: identity",))
    text = rules("  - {id: a, allow: {all: [any-prod, {email: '*@x.example'}]}, to: invoices}\n")
    decision = decided(policy(text, mesh), request(names_only, "/v1/invoices"))
    assert (decision.allowed, decision.unknown) == (False, ("a: identity",))
    text = rules(
        "  - {id: a, allow: any-prod, to: invoices}\n"
        "  - {id: d, deny: {all: [{uri: 'urn:x'}, {serial: ff}]}, to: any}\n"
    )
    assert decided(policy(text, mesh), request(names_only, "/v1/invoices")).allowed


def test_law_2_holds_for_when(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n  - {id: d, deny: billing, to: any, when: {sni: [x.example]}}\n"
    )
    subject = policy(text, mesh)
    assert decided(subject, request(service("billing"), "/v1/invoices", sni=None)).allowed
    assert decided(subject, request(service("billing"), "/v1/invoices", sni=UNREPORTED)).unknown == ("d: when",)


# --- bindings

TENANTS = (
    TRUST
    + f"""
identities:
  tenant: {{uri: "spiffe://{MESH}/tenant/{{tenant}}"}}
  named: {{dns: "{{tenant}}.clients.example"}}
routes:
  files: {{hosts: [h.example, "{{tenant}}.files.example"], paths: ["/tenants/{{tenant}}/**"]}}
rules:
"""
)


@pytest.mark.parametrize(
    ("who", "host", "path", "allowed"),
    [
        ("acme", "h.example", "/tenants/acme/x", True),
        ("acme", "h.example", "/tenants/other/x", False),
        ("acme", "acme.files.example", "/tenants/acme/x", True),
        ("acme", "other.files.example", "/tenants/acme/x", False),
        ("acme", "acme.files.example", "/tenants/other/x", False),
        ("other", "acme.files.example", "/tenants/acme/x", False),
        ("acme", "h.example", "/tenants/%61cme/x", True),
        ("acme", "h.example", "/tenants/ACME/x", False),
    ],
)
def test_a_bound_name_has_one_value_wherever_it_occurs(
    mesh: dict[str, bytes], who: str, host: str, path: str, allowed: bool
) -> None:
    subject = policy(TENANTS + "  - {id: own, allow: tenant, to: files}\n", mesh)
    decision = decided(subject, request(caller([f"spiffe://{MESH}/tenant/{who}"]), path, host=host))
    assert decision.allowed is allowed
    if allowed:
        assert dict(decision.captures) == {"tenant": "acme"}


def test_with_several_sans_the_one_that_satisfies_the_rule_gives_the_captures(mesh: dict[str, bytes]) -> None:
    subject = policy(TENANTS + "  - {id: own, allow: named, to: files}\n", mesh)
    several = caller(dns=["a.clients.example", "b.clients.example", "c.other.example"])
    assert dict(decided(subject, request(several, "/tenants/b/x")).captures) == {"tenant": "b"}
    assert not decided(subject, request(several, "/tenants/c/x")).allowed


def test_a_deny_with_a_binding_hits_only_the_tie(mesh: dict[str, bytes]) -> None:
    text = "  - {id: own, deny: tenant, to: files}\n  - {id: all, allow: authenticated, to: any}\n"
    subject = policy(TENANTS + text, mesh)
    acme = caller([f"spiffe://{MESH}/tenant/acme"])
    assert decided(subject, request(acme, "/tenants/acme/x")).rules == ("own",)
    assert decided(subject, request(acme, "/tenants/other/x")).rules == ("all",)


# --- shadow


def test_shadow_rules_change_nothing_but_are_reported(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: billing, to: invoices}\n  - {id: d, deny: billing, to: any, mode: shadow}\n")
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices"))
    assert (decision.allowed, decision.rules) == (True, ("a",))
    assert decision.shadow is not None
    assert (decision.shadow.allowed, decision.shadow.rules, decision.shadow.shadow) == (False, ("d",), None)


def test_shadow_is_null_if_effect_and_rules_are_equal(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n  - {id: d, deny: {uri: 'urn:x'}, to: any, mode: shadow}\n"
    )
    assert decided(policy(text, mesh), request(service("billing"), "/v1/invoices")).shadow is None


def test_an_unknown_shadow_rule_changes_nothing(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices}\n  - {id: d, deny: billing, from: 9.9.9.9, to: any, mode: shadow}\n"
    )
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices", source=None))
    assert (decision.allowed, decision.unknown) == (True, ())
    assert decision.shadow is not None
    assert decision.shadow.rules == ("d",)


def test_a_shadow_allow_lets_nobody_in(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: billing, to: invoices, mode: shadow}\n")
    subject = policy(text, mesh)
    decision = decided(subject, request(service("billing"), "/v1/invoices"))
    assert decision.reason is Reason.NO_MATCHING_RULE
    assert decision.shadow is not None
    assert decision.shadow.allowed


def test_a_shadow_rule_opens_no_listener_to_callers_without_certificate(mesh: dict[str, bytes]) -> None:
    shadow = rules("  - {id: a, allow: unauthenticated, to: invoices, mode: shadow}\n")
    assert not policy(shadow, mesh).allows_unauthenticated
    assert policy(shadow.replace(", mode: shadow", ""), mesh).allows_unauthenticated


# --- headers for the upstream


def test_set_headers_are_filled_from_captures_and_identity(mesh: dict[str, bytes]) -> None:
    text = "  - {id: own, allow: tenant, to: files, set_headers: {X-Tenant: '{tenant}', x-id: '{identity.uri}'}}\n"
    decision = decided(
        policy(TENANTS + text, mesh), request(caller([f"spiffe://{MESH}/tenant/acme"]), "/tenants/acme/x")
    )
    assert decision.headers == (("x-id", f"spiffe://{MESH}/tenant/acme"), ("x-tenant", "acme"))


def test_law_7_two_rules_that_set_one_header_to_different_values_refuse(mesh: dict[str, bytes]) -> None:
    text = rules(
        "  - {id: a, allow: billing, to: invoices, set_headers: {x-role: reader}}\n"
        "  - {id: b, allow: any-prod, to: invoices, set_headers: {x-role: writer}}\n"
    )
    subject = policy(text, mesh)
    decision = decided(subject, request(service("billing"), "/v1/invoices"))
    assert (decision.effect, decision.reason, decision.rules) == (Effect.DENY, Reason.DENIED_BY_RULE, ("a", "b"))
    assert decision.headers == ()
    assert decided(subject, request(service("other"), "/v1/invoices")).headers == (("x-role", "writer"),)


# --- strict SNI, gRPC, hosts


@pytest.mark.parametrize(
    ("sni", "allowed"),
    [("h.example", True), ("H.EXAMPLE", True), ("x.example", False), (None, False), (UNREPORTED, False)],
)
def test_strict_sni_needs_the_server_name_to_be_the_host(
    mesh: dict[str, bytes], sni: str | None, allowed: bool
) -> None:
    text = "strict_sni: true\n" + rules("  - {id: a, allow: billing, to: invoices}\n")
    decision = decided(policy(text, mesh), request(service("billing"), "/v1/invoices", sni=sni))
    assert decision.allowed is allowed
    if not allowed:
        assert decision.reason is Reason.SNI_MISMATCH


GRPC = "  - {id: a, allow: billing, to: {grpc: [acme.Ledger/Post, 'acme.Audit/*']}}\n"


@pytest.mark.parametrize(
    ("method", "path", "content_type", "allowed"),
    [
        ("POST", "/acme.Ledger/Post", ["application/grpc"], True),
        ("POST", "/acme.Audit/Any", ["application/grpc+proto"], True),
        ("POST", "/acme.Ledger/Get", ["application/grpc"], False),
        ("GET", "/acme.Ledger/Post", ["application/grpc"], False),
        ("POST", "/acme.Ledger/Post", ["text/plain"], False),
        ("POST", "/acme.Ledger/Post", [], False),
        ("POST", "/acme.Ledger/Post", ["application/grpc", "application/grpc"], False),
        ("POST", "/acme.Audit/", ["application/grpc"], False),
    ],
)
def test_grpc_under_allow_is_a_post_with_the_grpc_content_type(
    mesh: dict[str, bytes], method: str, path: str, content_type: list[str], allowed: bool
) -> None:
    asked = request(
        service("billing"), path, method=method, headers={"content-type": content_type} if content_type else {}
    )
    assert decided(policy(rules(GRPC), mesh), asked).allowed is allowed


@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_grpc_under_deny_is_the_path_whatever_the_method_and_content_type(mesh: dict[str, bytes], method: str) -> None:
    text = rules("  - {id: a, allow: billing, to: any}\n  - {id: d, deny: billing, to: {grpc: [acme.Ledger/Post]}}\n")
    assert decided(policy(text, mesh), request(service("billing"), "/acme.Ledger/Post", method=method)).rules == ("d",)


def test_one_grpc_route_serves_allow_and_deny(mesh: dict[str, bytes]) -> None:
    text = (
        TRUST
        + BILLING.replace("routes:", "routes:\n  ledger: {grpc: [acme.Ledger/Post]}")
        + ("rules:\n  - {id: a, allow: any-prod, to: ledger}\n  - {id: d, deny: billing, to: ledger}\n")
    )
    subject = policy(text, mesh)
    call = {"content-type": ["application/grpc"]}
    assert decided(subject, request(service("x"), "/acme.Ledger/Post", method="POST", headers=call)).allowed
    assert decided(subject, request(service("billing"), "/acme.Ledger/Post", method="GET")).rules == ("d",)


def test_when_limits_a_rule_in_time(mesh: dict[str, bytes]) -> None:
    text = rules("  - {id: a, allow: billing, to: invoices, when: {after: 2026-12-01T00:00:00Z}}\n")
    start = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    subject = policy(text, mesh)
    assert decided(subject, request(service("billing"), "/v1/invoices", time=start)).allowed
    assert not decided(subject, request(service("billing"), "/v1/invoices", time=start - 0.001)).allowed
