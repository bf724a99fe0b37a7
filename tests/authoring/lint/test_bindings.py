"""Bound names that are compared with nothing."""

import pytest

from tests.authoring.lint.linted import codes, findings

TENANT = '{uri: "spiffe://acme.internal/tenant/{tenant}"}'
OWN = '  - {id: own, allow: tenant, to: {paths: ["/t/{tenant}/**"]}}\n'
HEAD = f"identities:\n  tenant: {TENANT}\n  support: {{uri: 'spiffe://acme.internal/support'}}\nrules:\n"


@pytest.mark.parametrize(
    "rule",
    [
        "allow: tenant, to: {paths: [/a]}",
        "allow: tenant, to: any  ",
        "deny: tenant, to: {paths: [/a]}",
        "allow: [tenant, support], to: {paths: [/a]}",
        'allow: support, to: {paths: ["/t/{tenant}"]}',
        'allow: support, to: {hosts: ["{tenant}.files.example"]}',
    ],
)
def test_a_name_that_only_one_side_of_the_rule_binds_is_noted(rule: str) -> None:
    found = [
        finding for finding in findings(f"{HEAD}{OWN}  - {{id: r, {rule}}}\n") if finding.code == "binding_one_sided"
    ]
    assert [finding.at.line for finding in found] == [9]
    assert "`{tenant}`" in found[0].message


@pytest.mark.parametrize(
    "rule",
    [
        'allow: tenant, to: {paths: ["/u/{tenant}"]}',
        'allow: tenant, to: {paths: [/a]}, set_headers: {x-tenant: "{tenant}"}',
        'allow: support, to: {paths: ["/v1/{id}"]}',
        'allow: support, to: {paths: ["/t/*"]}',
    ],
)
def test_a_name_that_ties_the_sides_or_is_told_or_is_only_of_routes_is_not(rule: str) -> None:
    unused = "  - {id: s, allow: support, to: {paths: [/s]}}\n"
    assert "binding_one_sided" not in codes(f"{HEAD}{OWN}{unused}  - {{id: r, {rule}}}\n")


def test_names_of_routes_alone_are_no_ties() -> None:
    text = 'rules:\n  - {id: r, allow: {uri: "spiffe://acme.internal/a"}, to: {paths: ["/v1/{id}"]}}\n'
    assert codes(text) == []
