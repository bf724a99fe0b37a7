"""`policy check --native`: what makes Envoy ask is named, where it stands, with the routes that it costs."""

import pytest

from extauth.native.limits import MAX_CALLER_PATTERNS
from extauth.native.lint import native_findings
from extauth.native.report import HINTS, WORDS
from policies.authoring.lint.finding import Finding
from policies.language.load import load_policy
from tests.engine.callers import NoFiles
from tests.extauth.native.world import FILES, MESH, TIME

ID = "spiffe://acme.internal"
IDENTITIES = f'identities:\n  web: {{uri: "{ID}/web"}}\n  job: {{uri: "{ID}/job/*"}}\n'
ROUTES = 'routes:\n  orders: {hosts: [orders.svc], paths: ["/v1/**"]}\n  files: {hosts: [files.svc]}\n'
ALLOWS = "rules:\n  - {id: a-web, allow: web, to: orders}\n  - {id: a-job, allow: job, to: files}\n"


def findings(
    rules: str = "", identities: str = "", routes: str = "", trust: str = MESH, head: str = "version: 1\n"
) -> tuple[Finding, ...]:
    text = head + trust + IDENTITIES + identities + ROUTES + routes + ALLOWS + rules
    files = {"policy.yaml": text.encode()}
    loaded = load_policy(files, NoFiles(FILES))
    if loaded.policy is None:
        raise AssertionError("\n".join(map(str, loaded.problems)))
    return native_findings(loaded.policy, files, TIME)


def only(found: tuple[Finding, ...]) -> Finding:
    (one,) = found
    return one


def test_a_policy_that_envoy_says_in_full_has_no_finding() -> None:
    assert findings("  - {id: d, deny: job, to: orders}\n") == ()


def test_a_deny_of_anyone_with_a_window_names_every_route_that_it_makes_ask() -> None:
    found = only(findings("  - {id: freeze, deny: anyone, to: any, when: {after: 2027-01-01T00:00:00Z}}\n"))
    assert (found.code, found.at.line, found.at.column) == ("native_routes_asked", 12, 10)
    assert found.message.startswith(
        "because of `freeze` Envoy asks about requests to `files`, `orders`, which `a-job`, `a-web` would let it decide"
    )
    assert found.message.endswith(": it has a `when`")
    assert found.hint


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{id: x, deny: web, to: {hosts: [orders.svc], headers: {x-beta: ['1']}}}", "a route asks for headers"),
        ("{id: x, allow: web, to: {paths: [/v1/a]}, set_headers: {x-a: '1'}}", "it sets headers for the upstream"),
        ("{id: x, deny: {subject: {CN: a}}, to: {hosts: [orders.svc]}}", "its callers are told by subject"),
        (f'{{id: x, deny: {{uri: "{ID}/{{t}}"}}, to: {{paths: ["/v1/{{t}}"]}}}}', "caller and route share a name"),
    ],
)
def test_what_may_come_before_an_allow_costs_the_routes_of_that_allow(rule: str, why: str) -> None:
    found = only(findings(f"  - {rule}\n"))
    assert found.code == "native_routes_asked"
    assert "requests to `orders`" in found.message
    assert why in found.message


@pytest.mark.parametrize(
    "rule",
    [
        "{id: x, deny: web, to: files, when: {after: 2027-01-01T00:00:00Z}}",
        "{id: x, deny: job, to: orders, when: {after: 2027-01-01T00:00:00Z}}",
        "{id: x, deny: web, to: {hosts: [orders.svc], paths: [/v2]}, when: {after: 2027-01-01T00:00:00Z}}",
        "{id: x, allow: web, to: orders, when: {after: 2027-01-01T00:00:00Z}}",
    ],
)
def test_what_no_other_rule_allows_the_same_caller_costs_its_own_requests_only(rule: str) -> None:
    assert only(findings(f"  - {rule}\n")).code == "native_rule_asked"


def test_a_shadow_rule_makes_nobody_ask() -> None:
    assert findings("  - {id: x, deny: web, to: any, mode: shadow, when: {after: 2027-01-01T00:00:00Z}}\n") == ()


def test_an_identity_that_envoy_cannot_tell_is_named_once_with_whom_it_costs() -> None:
    blocked = f'  blocked: {{fingerprint: "sha256:{"01" * 32}"}}\n'
    found = only(findings("  - {id: x, deny: blocked, to: files}\n", blocked))
    assert (found.code, found.at.line) == ("native_callers_asked", 6)
    assert "every request of every caller with a certificate" in found.message
    assert "`blocked`" in found.message


def test_an_identity_with_a_uri_beside_the_fingerprint_costs_that_caller_only() -> None:
    blocked = f'  blocked: {{uri: "{ID}/job/old", fingerprint: "sha256:{"01" * 32}"}}\n'
    found = only(findings("  - {id: x, deny: blocked, to: files}\n", blocked))
    assert "every request of the callers of `a-job`, `x`:" in found.message


def test_callers_that_no_single_name_tells_are_a_note() -> None:
    found = only(findings('  - {id: x, allow: {trust: mesh, email: "a@b.example"}, to: files}\n'))
    assert found.code == "native_rule_asked"


@pytest.mark.parametrize(
    ("head", "trust", "line", "word"),
    [
        ("version: 1\nstrict_sni: true\n", MESH, 2, "strict_sni"),
        ("version: 1\n", MESH.replace("]", "], min_rsa_bits: 3072"), 2, "min_rsa_bits"),
    ],
)
def test_what_makes_the_whole_policy_ask_is_one_finding_where_it_stands(
    head: str, trust: str, line: int, word: str
) -> None:
    found = only(
        findings("  - {id: x, deny: anyone, to: any, when: {after: 2027-01-01T00:00:00Z}}\n", "", "", trust, head)
    )
    assert (found.code, found.at.line) == ("native_policy_asked", line)
    assert word in found.message
    assert found.hint


def _entries(partner: str) -> str:
    return (
        f"trust:\n  mesh: {{anchors: [pki/mesh.pem], spiffe_trust_domain: acme.internal}}\n  partner: {{{partner}}}\n"
    )


def test_several_trust_entries_whose_cas_are_told_apart_are_no_finding() -> None:
    assert findings(trust=_entries("anchors: [pki/partner.pem]")) == ()


@pytest.mark.parametrize(
    ("partner", "word"),
    [("anchors: [pki/mesh.pem]", "name"), ("anchors: [pki/partner.pem], min_rsa_bits: 3072", "min_rsa")],
)
def test_a_trust_entry_whose_callers_are_asked_about_is_told_where_it_stands(partner: str, word: str) -> None:
    theirs = "  - {id: theirs, allow: {trust: partner, dns: a.example}, to: files}\n"
    found = findings(theirs, trust=_entries(partner))
    assert {finding.code for finding in found} <= {"native_callers_asked", "native_policy_asked"}
    assert found[-1].at.line == 4
    assert word in found[-1].message
    assert found[-1].hint


def test_more_wildcards_than_envoy_tells_apart_are_said() -> None:
    many = "".join(f'  w{n}: {{uri: "{ID}/{n}/*"}}\n' for n in range(MAX_CALLER_PATTERNS + 1))
    assert "native_policy_asked" in [found.code for found in findings("", many)]


def test_thousands_of_rules_beside_each_other_are_looked_at_within_seconds_or_not_compared() -> None:
    when = "when: {after: 2027-01-01T00:00:00Z}"
    allows = "".join(f"  - {{id: p{n}, allow: web, to: {{paths: [/p/{n}]}}}}\n" for n in range(700))
    denies = "".join(f"  - {{id: q{n}, deny: web, to: {{paths: [/q/{n}]}}, {when}}}\n" for n in range(700))
    codes = {str(found.code) for found in findings(allows + denies)}
    assert codes == {"native_rule_asked", "lint_incomplete"}


def test_everything_that_makes_envoy_ask_has_a_hint() -> None:
    assert set(HINTS) == set(WORDS) - {"shadow"}
