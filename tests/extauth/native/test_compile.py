"""What is compiled, what is asked, and that Envoy takes all of it."""

import hashlib
import json
import math
import warnings
from dataclasses import fields
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

from extauth.native.compile import compiled_from_policy
from extauth.native.filters import manager_options, network_filters, route_options
from extauth.native.matcher import action, header_input, in_order
from extauth.native.report import report_from_policy
from extauth.native.validity import NOT_AFTER, validity
from pki.authority import Authority
from policies.engine.request import Request
from policies.peer.certificate import IdentityFacts
from policies.peer.trust import TrustEntry
from runtime.address import TcpAddress, UnixAddress
from runtime.envoy.bootstrap import EnvoySettings, bootstrap_from_settings
from runtime.envoy.connection_manager import NativeFilters
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.proto_json import Json, JsonValue
from runtime.envoy.tls import DownstreamTls
from tests.engine.callers import policy as policy_of_text
from tests.engine.callers import request
from tests.extauth.native.interpreter import decided, seen_from_request
from tests.extauth.native.world import LEAF, PARTNER, ROOT, TIME, compiled_of, filters_of, policy_of
from tests.support.envoy_validation import complaints_of_envoy

BILLING = 'identities: {billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}}\n'
READ = "{hosts: [h.example], methods: [GET], paths: [/v1]}"
EVERYTHING = """\
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  any-prod: {uri: "spiffe://acme.internal/ns/prod/sa/*"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
rules:
  - {id: reads, allow: billing, to: {hosts: [h.example, "*.x", "**.y"], paths: [/v1, "/v1/{id}", "/v2/**"]}}
  - {id: prod, allow: any-prod, to: {grpc: [acme.Ledger/Post, "acme.Audit/*"]}}
  - {id: own, allow: tenant, to: {paths: ["/t/{tenant}/**"]}}
  - {id: zone, deny: anyone, not_from: [10.0.0.0/8, "fd00::/8"], to: {paths: ["/pci/**"]}}
  - {id: late, allow: billing, to: any, when: {after: 2020-01-01T00:00:00Z}}
  - {id: tells, allow: billing, to: {paths: [/told]}, set_headers: {x-told: "yes"}}
  - {id: tried, deny: billing, to: any, mode: shadow}
  - {id: block, deny: {serial: 0a1b}, to: any}
"""


BILLER = "spiffe://acme.internal/ns/prod/sa/billing"


_MESSAGES = (
    *("envoy.config.rbac.v3", "envoy.extensions.filters.http.rbac.v3", "envoy.extensions.filters.http.ext_authz.v3"),
    *("envoy.extensions.filters.http.set_filter_state.v3", "envoy.extensions.filters.http.header_mutation.v3"),
    *("envoy.extensions.matching.common_inputs.network.v3", "envoy.extensions.matching.input_matchers.ip.v3"),
    *("envoy.type.matcher.v3", "xds.type.matcher.v3"),
)


def ask(rules: str, uri: str, target: str = "/v1", chain: str = LEAF, host: str = "h.example") -> str | None:
    facts = IdentityFacts(uri=(uri,))
    wanted = request(target=target, host=host)
    found = decided(compiled_of(rules).decides, seen_from_request(wanted, facts, "0a1b", chain))
    return None if found is None else found.partition("@")[0]


def test_every_shape_is_taken_by_envoy_itself(tmp_path: Path) -> None:
    assert complaints_of_envoy(bootstrap(EVERYTHING, tmp_path), tmp_path) == ""


def test_every_shape_is_a_message_that_envoy_data_plane_knows() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in tests.support.envoy_wire
        for name in _MESSAGES:
            import_module(f"envoy_data_plane.{name}")  # so that messages inside an Any are known
        from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

    for item in filters_of(compiled_of(EVERYTHING)):
        assert HttpFilter.from_dict(_without_cel(item)).name == item["name"]


def _without_cel(value: JsonValue) -> JsonValue:
    """envoy-data-plane has no CEL matcher: in its place stands another predicate."""
    if isinstance(value, list):
        return [_without_cel(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "cel_expr_parsed" in str(value.get("custom_match", "")):
        return {"input": header_input(":path"), "value_match": {"exact": "/"}}
    return {key: _without_cel(item) for key, item in value.items()}


def test_an_allow_is_named_by_its_rule() -> None:
    assert ask(f"{BILLING}rules: [{{id: a, allow: billing, to: {READ}}}]", BILLER) == "allow:a"


def test_what_no_rule_allows_is_denied_without_asking() -> None:
    assert ask(f"{BILLING}rules: [{{id: a, allow: billing, to: {READ}}}]", BILLER, "/v2") == "none:no_matching_rule"
    other = "spiffe://acme.internal/ns/prod/sa/other"
    assert ask(f"{BILLING}rules: [{{id: a, allow: billing, to: {READ}}}]", other) == "none:no_matching_rule"


def test_a_deny_beats_an_allow() -> None:
    rules = f"{BILLING}rules: [{{id: a, allow: billing, to: {READ}}}, {{id: z, deny: billing, to: any}}]"
    assert ask(rules, BILLER) == "deny:z"


def test_a_rule_that_may_deny_is_asked_before_another_allows() -> None:
    pinned = (
        'rules: [{id: a, allow: authenticated, to: any}, {id: z, deny: {pins: ["sha256:' + "A" * 43 + '="]}, to: any}]'
    )
    assert ask(pinned, BILLER) == "ask:identity"


PINNED = '{fingerprint: "sha256:' + "ab" * 32 + '"}'


@pytest.mark.parametrize(
    ("rule", "native"),
    [
        (f"deny: {PINNED}, to: any", False),
        (f"deny: [billing, {PINNED}], to: any", False),
        (f"deny: {{any: [billing, {PINNED}]}}, to: any", False),
        (f"deny: {{all: [authenticated, {PINNED}]}}, to: any, from: 10.0.0.0/8", False),
        ("deny: {subject: {CN: lost}}, to: any, when: {after: 2020-01-01T00:00:00Z}", False),
        (f"deny: {PINNED}, to: any, mode: shadow", True),
        (f"allow: {PINNED}, to: any", True),
        (f"deny: {PINNED}, to: {READ}", True),
        (f"deny: {{all: [billing, {PINNED}]}}, to: any", True),
        ("deny: authenticated, to: any", True),
        (f"deny: {{not: {PINNED}}}, to: any", True),
    ],
)
def test_where_a_rule_may_deny_any_certificate_everything_all_is_asked_and_no_tree_is_made(
    rule: str, native: bool
) -> None:
    rules = f"{BILLING}rules: [{{id: a, allow: billing, to: {READ}}}, {{id: z, {rule}}}]"
    compiled = compiled_of(rules)
    assert ("exact_match_map" in json.dumps(compiled.decides)) is native
    if not native:
        assert ask(rules, BILLER) == ask(rules, "spiffe://acme.internal/other", "/v2") == "ask:identity"
        assert compiled.names is None
        # What the listener is told of the CAs stays what it was: a change of it would end connections.
        assert compiled.admission is not None
        assert compiled.admission.stamp


def test_a_caller_below_a_literal_name_is_not_that_name() -> None:
    rules = """\
rules:
  - {id: literal, allow: {uri: "spiffe://acme.internal/a"}, to: any}
  - {id: below, allow: {uri: "spiffe://acme.internal/a/**"}, to: {paths: [/below]}}
"""
    assert ask(rules, "spiffe://acme.internal/a", "/v1") == "allow:literal"
    assert ask(rules, "spiffe://acme.internal/a/b", "/v1") == "none:no_matching_rule"
    assert ask(rules, "spiffe://acme.internal/a/b", "/below") == "allow:below"


@pytest.mark.parametrize("target", ["/v1%2f", "//v1", "/.v1", "/v1;a", "*", "", "/v1\\", "/v%31"])
def test_a_path_that_is_not_plain_is_asked(target: str) -> None:
    assert ask("rules: [{id: a, allow: authenticated, to: any}]", BILLER, target) == "ask:path"


SHIFTED = "x spiffe://acme.internal/ns/prod/sa/billing|-|-|- 1"


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (request(method=f"GET {SHIFTED}", target="/v1"), "method"),
        (request(host=f"h.example /v1 {SHIFTED}", target="/v1"), "host"),
        (request(target=f"/v1 {SHIFTED}"), "path"),
    ],
)
@pytest.mark.parametrize("name", ["billing", "other"])
def test_a_blank_in_one_fact_moves_no_other(sent: Request, why: str, name: str) -> None:
    compiled = compiled_of(BILLING + f"rules: [{{id: a, allow: billing, to: {READ}}}]")
    facts = IdentityFacts(uri=(f"spiffe://acme.internal/ns/prod/sa/{name}",))
    assert decided(compiled.decides, seen_from_request(sent, facts, "1", LEAF)) == f"ask:{why}"


@pytest.mark.parametrize("host", ["H.example", "h.example.", "h.example:443", "10.0.0.1", "a,b", "", "h.1", "h.0x1"])
def test_a_host_that_is_not_in_its_canonical_form_is_asked(host: str) -> None:
    assert ask("rules: [{id: a, allow: authenticated, to: any}]", BILLER, host=host) == "ask:host"


def test_a_caller_with_a_ca_that_the_policy_does_not_name_is_asked() -> None:
    rules = "rules: [{id: a, allow: authenticated, to: any}]"
    assert ask(rules, BILLER, chain=f"{LEAF},{'cd' * 32}") == "ask:chain"


def test_a_caller_with_the_serial_number_of_a_rule_is_asked() -> None:
    rules = "rules: [{id: a, allow: authenticated, to: any}, {id: z, deny: {serial: 0a1b}, to: any}]"
    assert ask(rules, BILLER) == "ask:serial"


TWO = "trust: {a: {anchors: [pki/mesh.pem], max_lifetime: 2d}, b: {anchors: [pki/partner.pem]%s}}\n"
BY_ENTRY = (
    "rules: [{id: a, allow: {trust: a}, to: any}, {id: b, allow: {trust: b}, to: {paths: [/b]}}, "
    "{id: z, deny: {trust: b, dns: z.example}, to: any}]"
)


def ask_of_issuer(issuer: str, trust: str = TWO % "", target: str = "/b", chain: str = LEAF, name: str = "a.x") -> str:
    seen = seen_from_request(request(target=target), IdentityFacts(dns=(name,)), "1", chain, issuer=issuer)
    return str(decided(compiled_of(BY_ENTRY, trust).decides, seen)).partition("@")[0]


def test_the_issuer_tells_which_of_several_trust_entries_a_caller_is_of() -> None:
    assert [ask_of_issuer(issuer) for issuer in ("CN=mesh", "CN=partner")] == ["allow:a", "allow:b"]
    assert ask_of_issuer("CN=partner", target="/a") == "none:no_matching_rule"
    assert [ask_of_issuer(issuer, name="z.example") for issuer in ("CN=mesh", "CN=partner")] == ["allow:a", "deny:z"]


@pytest.mark.parametrize("issuer", ["CN=Mesh", "CN=other", "CN=mesh,O=x", " CN=mesh", "CN=mesh\\,CN=partner", "", "-"])
def test_an_issuer_that_is_not_written_as_envoy_writes_it_is_asked_about(issuer: str) -> None:
    assert ask_of_issuer(issuer) == "ask:trust"


def test_a_caller_may_present_the_cas_of_its_own_entry_only() -> None:
    ours, theirs = (hashlib.sha256(authority.issued.der).hexdigest() for authority in (ROOT, PARTNER))
    assert ask_of_issuer("CN=mesh", chain=f"{LEAF},{ours}") == "allow:a"
    assert ask_of_issuer("CN=mesh", chain=f"{LEAF},{theirs}") == "ask:chain"
    assert ask_of_issuer("CN=partner", chain=f"{LEAF},{theirs},{ours}") == "ask:chain"


def test_where_one_of_several_trust_entries_is_asked_about_the_others_are_not() -> None:
    trust = TWO % ", min_rsa_bits: 3072"
    assert [ask_of_issuer(issuer, trust) for issuer in ("CN=mesh", "CN=partner")] == ["allow:a", "ask:min_rsa_bits"]
    report = report_from_policy(policy_of(BY_ENTRY, trust), TIME)
    assert {rule.rule: rule.asked for rule in report.rules} == {
        "a": (),
        "b": ("min_rsa_bits",),
        "z": ("min_rsa_bits",),
    }


def test_what_is_revoked_under_one_of_several_trust_entries_is_asked_about_under_all() -> None:
    entries = "trust: {a: {anchors: [mesh.pem]}, b: {anchors: [partner.pem], crls: [partner.crl]}}\n"
    files = {"mesh.pem": ROOT.pem, "partner.pem": PARTNER.pem, "partner.crl": PARTNER.crl([0xB1])}
    compiled = compiled_from_policy(policy_of_text(entries + BY_ENTRY, files), TIME, stamped=False)
    seen = seen_from_request(request(target="/b"), IdentityFacts(dns=("a.x",)), "b1", LEAF, issuer="CN=mesh")
    assert decided(compiled.decides, seen) == "ask:revocation"


def test_the_stamp_of_a_listener_tells_which_cas_are_of_one_entry() -> None:
    files = {name: authority.pem for name, authority in (("m", ROOT), ("p", PARTNER), ("q", Authority.root("q")))}
    stamps = set()
    for one, other in (("m, p", "q"), ("m", "p, q"), ("m, q", "p")):
        text = f"trust: {{a: {{anchors: [{one}]}}, b: {{anchors: [{other}]}}}}\n"
        admission = compiled_from_policy(policy_of_text(text + BY_ENTRY, files), TIME).admission
        assert admission is not None
        stamps.add(admission.stamp)
    assert len(stamps) == 3


@pytest.mark.parametrize(
    ("trust", "carried"),
    [("{anchors: [pki/mesh.pem]}", False), ("{anchors: [pki/mesh.pem], max_lifetime: 2d}", True)],
)
def test_requests_carry_dates_in_headers_for_the_sake_of_lifetimes_alone(trust: str, carried: bool) -> None:
    rules = "rules: [{id: a, allow: authenticated, to: any}]"
    admission = compiled_of(rules, f"trust: {{mesh: {trust}}}\n").admission
    assert (f'"{NOT_AFTER}"' in json.dumps(manager_options(admission))) == carried
    assert ("request_headers_to_remove" in route_options(admission)) == carried
    # A listener that does not know the policy has them for every policy.
    assert f'"{NOT_AFTER}"' in json.dumps(manager_options())


def test_several_trust_entries_that_share_a_ca_are_asked_about() -> None:
    two = "trust: {a: {anchors: [pki/mesh.pem]}, b: {anchors: [pki/mesh.pem]}}\n"
    compiled = compiled_of("rules: [{id: a, allow: authenticated, to: any}]", two)
    assert decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF)) == "ask:trust"


@pytest.mark.parametrize(("how", "said"), [("require", "ask:ocsp"), ("if-available", "ask:ocsp"), ('"off"', "a")])
def test_a_policy_that_asks_a_responder_about_its_callers_is_asked_for_everything(how: str, said: str) -> None:
    entry = f"anchors: [pki/mesh.pem], ocsp: {{url: 'http://ocsp.example'}}, revocation: {how}"
    compiled = compiled_of("rules: [{id: a, allow: authenticated, to: any}]", f"trust: {{mesh: {{{entry}}}}}\n")
    decision = decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF))
    assert said in str(decision)


@pytest.mark.parametrize("how", ["require", "if-available"])
def test_a_policy_whose_callers_name_their_crls_is_asked_for_everything(how: str) -> None:
    entry = f"anchors: [pki/mesh.pem], crls: [{{certificate_urls: ['http://crl.example']}}], revocation: {how}"
    compiled = compiled_of("rules: [{id: a, allow: authenticated, to: any}]", f"trust: {{mesh: {{{entry}}}}}\n")
    decision = decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF))
    assert decision == "ask:crl_urls"


def test_an_intermediate_that_its_anchor_may_not_have_below_it_is_asked_about() -> None:
    # Envoy takes it as an anchor, and would never look at the path length of the one above.
    short = ROOT.intermediate("short", path_length=0)
    below = short.intermediate("below")
    trust = "trust: {mesh: {anchors: [short.pem], intermediates: [below.pem]}}\n"
    text = trust + "rules: [{id: a, allow: authenticated, to: any}]"
    policy = policy_of_text(text, {"short.pem": short.pem, "below.pem": below.pem})
    compiled = compiled_from_policy(policy, TIME)
    assert decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF)) == "ask:authority"


@pytest.mark.parametrize("crls", ["mesh.crl", "issuing.crl", "mesh.crl, old.crl"])
def test_where_a_crl_is_required_and_a_ca_has_none_in_force_everything_is_asked(crls: str) -> None:
    issuing = ROOT.intermediate("issuing")
    old = issuing.crl(this_update=ROOT.now - timedelta(days=2), next_update=ROOT.now - timedelta(days=1))
    files = {"mesh.pem": ROOT.pem, "issuing.pem": issuing.pem, "mesh.crl": ROOT.crl(), "issuing.crl": issuing.crl()}
    entry = f"anchors: [mesh.pem], intermediates: [issuing.pem], revocation: require, crls: [{crls}]"
    text = f"trust: {{mesh: {{{entry}}}}}\nrules: [{{id: a, allow: authenticated, to: any}}]"
    policy = policy_of_text(text, files | {"old.crl": old})
    compiled = compiled_from_policy(policy, TIME)
    assert decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF)) == "ask:revocation"
    assert {rule.asked for rule in report_from_policy(policy, TIME).rules} == {("revocation",)}


@pytest.mark.parametrize("until", [-math.inf, -1.0, 0.0, 1e9])
def test_a_deadline_in_the_past_is_a_condition_like_any_other(until: float) -> None:
    valid = action("valid", permits=True)
    passed, none = (in_order([(validity(time), valid)]) for time in (until, math.inf))
    seen = seen_from_request(request(), IdentityFacts(), "1", LEAF)
    assert (decided(passed, seen), decided(none, seen)) == (None, "valid")


def test_past_the_last_day_of_a_ca_everything_is_asked() -> None:
    compiled = compiled_from_policy(policy_of("rules: [{id: a, allow: authenticated, to: any}]"), TIME + 400 * 86_400)
    assert decided(compiled.decides, seen_from_request(request(), IdentityFacts(), "1", LEAF)) == "ask:authority"


def test_every_field_of_a_trust_entry_was_thought_of() -> None:
    # A field that nobody has looked at here could let through what it refuses.
    assert {field.name for field in fields(TrustEntry)} == {
        *("name", "anchors", "intermediates", "spiffe_trust_domain", "crls", "revocation", "max_lifetime"),
        *("clock_skew", "min_rsa_bits", "bundle_sequence", "unfetched", "anchors_from", "ocsp", "crl_urls"),
    }


def test_the_report_says_of_each_rule_why_it_is_asked() -> None:
    report = report_from_policy(policy_of(EVERYTHING), TIME)
    assert {rule.rule: rule.asked for rule in report.rules} == {
        "block": ("certificate",),
        "late": ("when",),
        "own": ("binding",),
        "prod": (),
        "reads": (),
        "tells": ("set_headers",),
        "tried": ("shadow",),
        "zone": (),
    }
    assert report.native_share == 3 / 7


def bootstrap(rules: str, folder: Path) -> Json:
    server = ROOT.issue(dns=["h.example"], server=True, client=False)
    for name, content in {"s.pem": server.pem, "s.key": server.key_pem, "ca.pem": ROOT.pem}.items():
        (folder / name).write_bytes(content)
    compiled = compiled_of(rules)
    assert compiled.admission is not None
    return bootstrap_from_settings(
        EnvoySettings(
            listen=TcpAddress("127.0.0.1", 0),
            tls=DownstreamTls(folder / "s.pem", folder / "s.key", folder / "ca.pem"),
            authorization=Authorization(UnixAddress("/run/peergate.sock")),
            upstream=TcpAddress("127.0.0.1", 1),
            admin=UnixAddress(str(folder / "admin.sock")),
            native=NativeFilters(
                tuple(network_filters(compiled.admission)),
                tuple(filters_of(compiled)),
                manager_options(compiled.admission),
                route_options(compiled.admission),
            ),
        )
    )
