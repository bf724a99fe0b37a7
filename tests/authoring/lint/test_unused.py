"""Names that nothing mentions are found; those that something needs are not."""

from tests.authoring.lint.linted import MESH_ID, codes, findings

TWO = """version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}
  partners: {anchors: [partners.pem]}
"""
RULE = f'rules:\n  - {{id: a, allow: {{uri: "{MESH_ID}/web"}}, to: {{paths: [/a]}}}}\n'


def test_an_identity_a_route_and_a_zone_that_nothing_mentions_are_found() -> None:
    text = "identities:\n  left: {dns: x.example}\nroutes:\n  old: {paths: [/b]}\nzones:\n  lab: [10.0.0.0/8]\n"
    assert codes(text + RULE) == ["identity_unused", "route_unused", "zone_unused"]


def test_a_finding_stands_at_the_name() -> None:
    (finding,) = findings("routes:\n  old: {paths: [/b]}\n" + RULE)
    assert (finding.at.line, finding.at.column) == (5, 3)
    assert finding.message == "no rule mentions the route `old`"


def test_an_identity_inside_of_another_is_used() -> None:
    text = """identities:
  a: {dns: a.example}
  b: {any: [a, {not: c}]}
  c: {dns: c.example}
rules:
  - {id: r, allow: b, to: {paths: [/a]}}
"""
    assert codes(text) == []


def test_a_zone_of_not_from_is_used() -> None:
    text = "zones:\n  lab: [10.0.0.0/8]\nrules:\n  - {id: r, deny: anyone, not_from: lab, to: any}\n"
    assert codes(text) == []


def test_a_trust_entry_that_no_identity_needs_is_found() -> None:
    assert codes(RULE, head=TWO) == ["trust_unused"]


def test_a_trust_entry_is_needed_by_name_by_its_domain_or_by_everybody() -> None:
    partner = "  - {id: b, allow: {trust: partners, dns: x.example}, to: {paths: [/b]}}\n"
    everybody = "  - {id: b, allow: authenticated, to: {methods: [GET], paths: [/b]}}\n"
    negated = f'  - {{id: b, allow: {{not: {{uri: "{MESH_ID}/x"}}}}, to: {{methods: [GET], paths: [/b]}}}}\n'
    pinned = f'  - {{id: b, allow: {{fingerprint: "sha256:{"01" * 32}"}}, to: {{paths: [/b]}}}}\n'
    for more in (partner, everybody, negated, pinned):
        assert codes(RULE + more, head=TWO) == []
