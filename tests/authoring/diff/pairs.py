# ruff: noqa: E501 - policies are read best on their own lines
"""A policy, edits of it that let more through, and edits that change no verdict."""

from dataclasses import dataclass

BASE = """
version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal}
  vendors: {anchors: [partners.pem], max_lifetime: 90d}
zones:
  pci: [10.20.0.0/16]
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  ci: {uri: "spiffe://acme.internal/ns/ci/*"}
  tenant: {uri: "spiffe://acme.internal/tenant/{tenant}"}
  partner: {trust: vendors, dns: "*.partner.example", subject: {O: [Partner Inc, Partner Ltd]}}
  pinned: {trust: vendors, dns: api.pinned.example, pins: "sha256:5cA8nhMVQ0m6DBtm8t1VpHXi8IvMhuBlsSuOzFYqc1c="}
  staff: {trust: vendors, email: "*@ops.acme.example", issuer: {CN: People CA}}
  lead: {all: [staff, {not: {trust: vendors, subject: {CN: Contractor}}}]}
  host-cert: {trust: vendors, ip_san: 10.9.0.0/16}
  old-key: {trust: vendors, serial: a1}
routes:
  read-invoices: {hosts: [invoices.svc], methods: [GET, HEAD], paths: ["/v1/invoices/{id}", "/v1/reports/*"]}
  ledger: {hosts: [ledger.svc], grpc: [acme.Ledger/Post]}
  files: {hosts: ["{tenant}.files.example"], paths: ["/t/{tenant}/**"]}
  orders: {hosts: ["*.orders.example"], methods: [POST], paths: [/v2/orders], headers: {x-env: [prod, stage]}}
  admin: {hosts: [admin.svc], paths: ["/admin/**"]}
  status: {hosts: [status.svc], paths: [/status]}
rules:
  - {id: billing-reads, allow: billing, to: read-invoices}
  - {id: billing-posts, allow: billing, to: ledger, from: pci}
  - {id: own-files, allow: tenant, to: files}
  - {id: partners-order, allow: [partner, pinned], to: orders, not_from: pci}
  - {id: staff-admin, allow: staff, to: admin, when: {days: [mon, tue, wed, thu, fri], hours: ["08:00-18:00"]}}
  - {id: lead-admin, allow: lead, to: admin, when: {before: 2027-01-01T00:00:00Z}}
  - {id: hosts-status, allow: host-cert, to: status, when: {sni: [status.svc]}}
  - {id: all-status, allow: authenticated, to: status, from: 10.0.0.0/8}
  - {id: probes, allow: unauthenticated, to: {hosts: [status.svc], paths: [/healthz]}}
  - {id: no-old-key, deny: old-key, to: any}
  - {id: no-partner-pci, deny: {trust: vendors}, to: ledger}
  - {id: no-secrets, deny: anyone, to: {hosts: [admin.svc], paths: ["/admin/secrets/**"]}}
  - {id: no-ci, deny: ci, to: any, mode: shadow}
  - {id: freeze, deny: tenant, to: {methods: [DELETE]}}
"""


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` becomes `new` in the policy; `rule` is named by a finding. For a refactoring it is empty."""

    name: str
    old: str
    new: str
    rule: str = ""


WIDENINGS = (
    Edit("a method more", "methods: [GET, HEAD]", "methods: [GET, HEAD, DELETE]", "billing-reads"),
    Edit("methods left out", "methods: [POST], ", "", "partners-order"),
    Edit("a literal becomes a wildcard", "/sa/billing", "/sa/*", "billing-reads"),
    Edit("a wildcard becomes the rest", '"/v1/reports/*"', '"/v1/reports/**"', "billing-reads"),
    Edit("a template that overlaps another", '"/v1/invoices/{id}"', '"/v1/{kind}/{id}"', "billing-reads"),
    Edit("a path more", "paths: [/v2/orders]", "paths: [/v2/orders, /v2/orders/]", "partners-order"),
    Edit("paths left out", '{hosts: [admin.svc], paths: ["/admin/**"]}', "{hosts: [admin.svc]}", "lead-admin"),
    Edit("a host more", "hosts: [invoices.svc]", "hosts: [invoices.svc, invoices.example]", "billing-reads"),
    Edit("a host wildcard of any depth", '"*.orders.example"', '"**.orders.example"', "partners-order"),
    Edit("hosts left out", "{hosts: [ledger.svc], grpc", "{grpc", "billing-posts"),
    Edit("a header value more", "x-env: [prod, stage]", "x-env: [prod, stage, test]", "partners-order"),
    Edit("headers left out", ", headers: {x-env: [prod, stage]}", "", "partners-order"),
    Edit("a gRPC method becomes a service", "acme.Ledger/Post", "acme.Ledger/*", "billing-posts"),
    Edit("gRPC becomes a path", "grpc: [acme.Ledger/Post]", "paths: [/acme.Ledger/Post]", "billing-posts"),
    Edit("a binding dropped from the host", '["{tenant}.files.example"]', '["*.files.example"]', "own-files"),
    Edit("a binding dropped from the path", '"/t/{tenant}/**"', '"/t/*/**"', "own-files"),
    Edit("a binding dropped from the caller", "tenant/{tenant}", "tenant/*", "own-files"),
    Edit("from left out", "to: ledger, from: pci", "to: ledger", "billing-posts"),
    Edit("a wider zone", "pci: [10.20.0.0/16]", "pci: [10.20.0.0/15]", "billing-posts"),
    Edit("not_from left out", ", not_from: pci", "", "partners-order"),
    Edit("another day", "[mon, tue, wed, thu, fri]", "[mon, tue, wed, thu, fri, sat]", "staff-admin"),
    Edit("an hour more", "08:00-18:00", "08:00-19:00", "staff-admin"),
    Edit("another time zone", '"08:00-18:00"]', '"08:00-18:00"], timezone: Asia/Tokyo', "staff-admin"),
    Edit("a later end", "before: 2027-01-01", "before: 2027-02-01", "lead-admin"),
    Edit("when left out", ", when: {before: 2027-01-01T00:00:00Z}", "", "lead-admin"),
    Edit("another server name", "sni: [status.svc]", 'sni: ["*.svc"]', "hosts-status"),
    Edit("a subject more", "O: [Partner Inc, Partner Ltd]", "O: [Partner Inc, Partner Ltd, Other]", "partners-order"),
    Edit("subject left out", ", subject: {O: [Partner Inc, Partner Ltd]}", "", "partners-order"),
    Edit("pins left out", ', pins: "sha256:5cA8nhMVQ0m6DBtm8t1VpHXi8IvMhuBlsSuOzFYqc1c="', "", "partners-order"),
    Edit("issuer left out", ", issuer: {CN: People CA}", "", "staff-admin"),
    Edit(
        "another email domain",
        'email: "*@ops.acme.example"',
        'email: ["*@ops.acme.example", "*@x.example"]',
        "staff-admin",
    ),
    Edit("a wider network of IP SANs", "10.9.0.0/16", "10.8.0.0/15", "hosts-status"),
    Edit(
        "a part of all: taken out",
        "all: [staff, {not: {trust: vendors, subject: {CN: Contractor}}}]",
        "all: [staff]",
        "lead-admin",
    ),
    Edit(
        "another alternative of not:",
        "{not: {trust: vendors, subject: {CN: Contractor}}}",
        "{not: {trust: vendors, subject: {CN: Intern}}}",
        "lead-admin",
    ),
    Edit(
        "an identity becomes any:",
        'billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}',
        'billing: {any: [ci, {uri: "spiffe://acme.internal/ns/prod/sa/billing"}]}',
        "billing-reads",
    ),
    Edit(
        "a caller without a certificate",
        "allow: authenticated, to: status",
        "allow: [authenticated, unauthenticated], to: status",
        "all-status",
    ),
    Edit(
        "anybody in place of an identity",
        "allow: billing, to: read-invoices",
        "allow: authenticated, to: read-invoices",
        "billing-reads",
    ),
    Edit("a rule more", "rules:", "rules:\n  - {id: more, allow: ci, to: read-invoices}", "more"),
    Edit(
        "a deny rule removed",
        '  - {id: no-secrets, deny: anyone, to: {hosts: [admin.svc], paths: ["/admin/secrets/**"]}}\n',
        "",
        "no-secrets",
    ),
    Edit("a deny rule narrowed", "/admin/secrets/**", "/admin/secrets/*", "no-secrets"),
    Edit("a deny rule of fewer methods", "{methods: [DELETE]}", "{methods: [DELETE], hosts: [x.svc]}", "freeze"),
    Edit("a deny rule of fewer serial numbers", "serial: a1", "serial: a2", "no-old-key"),
    Edit(
        "a deny rule that spares callers",
        "deny: old-key, to: any",
        "deny: {all: [old-key, {not: {trust: vendors, dns: x.y}}]}, to: any",
        "no-old-key",
    ),
    Edit(
        "a deny rule in shadow mode",
        "deny: tenant, to: {methods: [DELETE]}",
        "deny: tenant, mode: shadow, to: {methods: [DELETE]}",
        "freeze",
    ),
    Edit(
        "a deny rule of a time", "deny: tenant, to", "deny: tenant, when: {after: 2027-01-01T00:00:00Z}, to", "freeze"
    ),
    Edit(
        "a deny rule that becomes an allow",
        "id: no-ci, deny: ci, to: any, mode: shadow",
        "id: no-ci, allow: ci, to: any",
        "no-ci",
    ),
    Edit("a trust entry more", "  vendors: {", "  others: {anchors: [mesh.pem]}\n  vendors: {", "all-status"),
)

#: Edits that open one way and close another.
MIXED = frozenset(
    {
        "another time zone",
        "a wider zone",
        "another alternative of not:",
        "a deny rule of fewer serial numbers",
    }
)

REFACTORINGS = (
    Edit("nothing", "rules:", "rules:"),
    Edit("an identity renamed", "ci", "builders"),
    Edit("a route renamed", "read-invoices", "see-invoices"),
    Edit("a rule renamed", "id: billing-reads", "id: reads"),
    Edit("a zone renamed", "pci", "vault"),
    Edit("a trust entry renamed", "vendors", "friends"),
    Edit("methods in another order", "[GET, HEAD]", "[HEAD, GET]"),
    Edit("a path twice, once as a part of another", '"/v1/reports/*"]', '"/v1/reports/*", /v1/reports/2026]'),
    Edit("a bound name renamed", "/v1/invoices/{id}", "/v1/invoices/{number}"),
    Edit("a name in braces that nothing compares", "/v1/invoices/{id}", "/v1/invoices/*"),
    Edit("a network in two halves", "from: 10.0.0.0/8", "from: [10.0.0.0/9, 10.128.0.0/9]"),
    Edit("days in two lists", "08:00-18:00", '08:00-12:00", "12:00-18:00'),
    Edit(
        "an identity written out",
        "allow: billing, to: read-invoices",
        'allow: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}, to: read-invoices',
    ),
    Edit(
        "a route written out",
        "allow: authenticated, to: status",
        "allow: authenticated, to: {hosts: [status.svc], paths: [/status]}",
    ),
    Edit("a list as any:", "allow: [partner, pinned]", "allow: {any: [partner, pinned]}"),
    Edit("not of not", "allow: billing, to: read-invoices", "allow: {not: {not: billing}}, to: read-invoices"),
    Edit(
        "a redundant rule",
        "rules:",
        "rules:\n  - {id: again, allow: billing, to: {hosts: [invoices.svc], methods: [GET], paths: [/v1/invoices/7]}}",
    ),
    Edit(
        "a rule in two",
        "  - {id: partners-order, allow: [partner, pinned], to: orders, not_from: pci}",
        "  - {id: partners-order, allow: partner, to: orders, not_from: pci}\n  - {id: pinned-order, allow: pinned, to: orders, not_from: pci}",
    ),
    Edit(
        "an allow that a deny covers",
        "rules:",
        "rules:\n  - {id: hidden, allow: ci, to: {hosts: [admin.svc], paths: [/admin/secrets/x]}}",
    ),
    Edit(
        "a deny that nothing allows",
        "rules:",
        "rules:\n  - {id: idle, deny: ci, to: {hosts: [nowhere.svc]}, not_from: pci}",
    ),
    Edit("a rule in shadow mode", "rules:", "rules:\n  - {id: later, deny: billing, to: read-invoices, mode: shadow}"),
    Edit("a shadow rule removed", "  - {id: no-ci, deny: ci, to: any, mode: shadow}\n", ""),
    Edit("labels and descriptions", "id: freeze,", "id: freeze, description: No deletes., labels: {ticket: A-1},"),
    Edit("wildcards that another covers", '"*.orders.example"', '"*.orders.example", "eu.orders.example"'),
    Edit(
        "a condition that cannot fail",
        "allow: billing, to: ledger, from: pci",
        "allow: {all: [billing, authenticated]}, to: ledger, from: pci",
    ),
)
