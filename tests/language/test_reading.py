"""A policy file as its author wrote it: the whole of DESIGN's example, and every way in which a shape can be wrong."""

import gc
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.language.codes import Code
from policies.language.document import (
    IdentityDocument,
    NameDocument,
    RouteDocument,
    RuleDocument,
    SelectorDocument,
    TrustDocument,
    UrlDocument,
)
from policies.language.node import Scalar
from policies.language.policy_table import POLICY, TRUST_ENTRY
from policies.language.problem import Position
from policies.language.reading import document_from_bytes
from policies.language.route_table import ROUTE
from policies.language.rule_table import RULE
from policies.language.selector_table import SELECTOR
from tests.language.texts import EXAMPLE, codes, document_of, places, problem_of


def texts(scalars: object) -> list[str]:
    assert isinstance(scalars, tuple)
    return [scalar.text for scalar in scalars if isinstance(scalar, Scalar)]


def text(scalar: object) -> str:
    assert isinstance(scalar, Scalar)
    return scalar.text


def test_the_example_of_the_design_has_no_problem() -> None:
    assert document_from_bytes("p", EXAMPLE)[1] == ()


def example() -> tuple[
    dict[str, TrustDocument], dict[str, SelectorDocument], dict[str, RouteDocument], dict[str, RuleDocument]
]:
    document = document_of(EXAMPLE.decode())
    return (
        {entry.name.text: entry for entry in document.trust},
        {identity.name.text: identity.selector for identity in document.identities},
        {route.name.text: route for route in document.routes if route.name},
        {rule.id.text: rule for rule in document.rules},
    )


TRUST, IDENTITIES, ROUTES, RULES = example()


def test_the_example_has_version_and_zones() -> None:
    document = document_of(EXAMPLE.decode())
    assert text(document.version) == "1"
    assert [(zone.name.text, texts(zone.networks)) for zone in document.zones] == [
        ("pci", ["10.20.0.0/16", "fd00:20::/32"])
    ]
    assert (document.scope, document.strict_sni) == (None, None)


def test_the_example_has_its_trust_entries() -> None:
    assert list(TRUST) == ["mesh", "partners"]
    mesh = TRUST["mesh"]
    assert (texts(mesh.anchors), mesh.intermediates, texts(mesh.crls)) == (["pki/mesh-root.pem"], (), ["pki/mesh.crl"])
    assert (text(mesh.spiffe_trust_domain), text(mesh.revocation)) == ("acme.internal", "require")
    assert text(TRUST["partners"].max_lifetime) == "90d"


def test_the_example_has_its_identities() -> None:
    assert list(IDENTITIES) == ["billing", "any-prod", "tenant", "partner", "on-call"]
    assert texts(IDENTITIES["tenant"].uri) == ["spiffe://acme.internal/tenant/{tenant}"]
    partner = IDENTITIES["partner"]
    assert (texts(partner.trust), texts(partner.dns), texts(partner.pins)) == (
        ["partners"],
        ["*.partner.example"],
        ["sha256:mZ0…="],
    )


def test_the_example_has_distinguished_names_by_attribute() -> None:
    subject = IDENTITIES["partner"].subject
    assert isinstance(subject, NameDocument)
    assert subject.text is None
    assert [(key.text, texts(values)) for key, values in subject.attributes] == [
        ("O", ["Partner Inc"]),
        ("OU", ["Payments", "Treasury"]),
    ]


def test_the_example_has_selectors_in_selectors() -> None:
    first, second = IDENTITIES["on-call"].any or ()
    assert isinstance(first, SelectorDocument)
    assert isinstance(second, SelectorDocument)
    assert texts(first.email) == ["*@ops.acme.example"]
    assert second.subject is not None


def test_the_example_has_its_routes() -> None:
    assert list(ROUTES) == ["read-invoices", "ledger", "tenant-files", "health"]
    invoices = ROUTES["read-invoices"]
    assert texts(invoices.hosts) == ["invoices.prod.svc", "*.invoices.example"]
    assert texts(invoices.methods) == ["GET", "HEAD"]
    assert texts(invoices.paths) == ["/v1/invoices", "/v1/invoices/{id}", "/v1/reports/**"]
    assert texts(ROUTES["ledger"].grpc) == ["acme.Ledger/Post", "acme.Audit/*"]


def test_the_example_has_its_rules() -> None:
    assert list(RULES) == ["billing-reads-invoices", "own-tenant-only", "pci-only", "probes", "quarantine-billing"]
    assert (texts(RULES["probes"].allow), RULES["probes"].deny) == (["unauthenticated"], None)
    assert (texts(RULES["pci-only"].deny), texts(RULES["pci-only"].not_from)) == (["anyone"], ["pci"])
    quarantine = RULES["quarantine-billing"]
    assert (texts(quarantine.to), text(quarantine.mode)) == (["any"], "shadow")
    assert quarantine.when is not None
    assert text(quarantine.when.after) == "2026-12-01T00:00:00Z"
    assert [(key.text, value.text) for key, value in quarantine.labels] == [("ticket", "SEC-212")]


def test_every_key_of_the_language_is_read() -> None:
    document = document_of(
        """
        version: 1
        strict_sni: true
        scope: {hosts: ["*.a"]}
        trust:
          t: {anchors: a.pem, intermediates: [i.pem], crls: [{url: "http://c"}, c.crl],
              revocation: off, max_lifetime: 1d}
        identities:
          i: {uri: u, dns: [d], email: e, ip_san: 10.0.0.0/8, subject: CN=x, issuer: {CN: [a, b]}, pins: p,
              fingerprint: f, serial: 0a, all: [j, {dns: k}], not: {any: [l]}}
        routes:
          r: {headers: {x-a: one, x-b: [two, three]}}
        rules:
          - id: r1
            allow: [i, {uri: u}]
            to: [r, {paths: /a}]
            from: pci
            when: {sni: s, before: b, days: [mon], hours: "1-2", timezone: UTC}
            set_headers: {x-c: "{id}"}
            description: |
              Two
              lines.
        """
    )
    assert text(document.strict_sni) == "true"
    assert document.scope is not None
    assert texts(document.scope.hosts) == ["*.a"]
    url, path = document.trust[0].crls
    assert isinstance(url, UrlDocument)
    assert ((url.url and url.url.text), text(path)) == ("http://c", "c.crl")
    selector = document.identities[0].selector
    assert selector.subject is not None
    assert (text(selector.subject.text), selector.subject.attributes) == ("CN=x", ())
    assert isinstance(selector.not_, SelectorDocument)
    assert [(key.text, texts(values)) for key, values in document.routes[0].headers] == [
        ("x-a", ["one"]),
        ("x-b", ["two", "three"]),
    ]
    rule = document.rules[0]
    assert rule.allow is not None
    name, inline = rule.allow
    assert (text(name), isinstance(inline, SelectorDocument)) == ("i", True)
    assert isinstance(rule.to[1], RouteDocument)
    assert rule.to[1].name is None
    assert text(rule.description) == "Two\nlines.\n"


@pytest.mark.parametrize(
    ("policy", "at", "code"),
    [
        ("version: 1\nidentites: {}\n", (2, 1), "key_unknown"),
        ("version: 1\nidentities: {a: {ip: 10.0.0.0/8}}\n", (2, 18), "key_unknown"),
        ("version: 1\nrules: {}\n", (2, 8), "value_empty"),
        ("version: 1\nrules: []\n", (2, 8), "value_empty"),
        ("version: 1\nidentities: {}\n", (2, 13), "value_empty"),
        ("version: 1\nidentities: {a: {}}\n", (2, 17), "value_empty"),
        ("version: 1\nidentities: {a: }\n", (2, 17), "value_empty"),
        ("version: 1\nidentities: {a: b}\n", (2, 17), "wrong_type"),
        ("version: 1\nidentities: {a: [{uri: b}]}\n", (2, 17), "wrong_type"),
        ("version: 1\nidentities: {a: {any: b}}\n", (2, 23), "wrong_type"),
        ("version: 1\nidentities: {a: {not: [b]}}\n", (2, 23), "wrong_type"),
        ("version: 1\nidentities: {a: {subject: [CN=x]}}\n", (2, 27), "wrong_type"),
        ("version: 1\nidentities: {a: {subject: {}}}\n", (2, 27), "value_empty"),
        ('version: 1\nidentities: {a: {uri: ""}}\n', (2, 23), "value_empty"),
        ("version: 1\nidentities: {any: {uri: a}}\n", (2, 14), "name_reserved"),
        ("version: 1\nroutes: {a/b: {paths: /a}}\n", (2, 10), "name_invalid"),
        ("version: 1\nroutes: {a: {path: /a}}\n", (2, 14), "key_unknown"),
        ("version: 1\nroutes: {a: {headers: [x]}}\n", (2, 23), "wrong_type"),
        ("version: 1\nzones: {a: {}}\n", (2, 12), "value_empty"),
        ("version: 1\nzones: {authenticated: 10.0.0.0/8}\n", (2, 9), "name_reserved"),
        ("version: 1\ntrust: {a: {crls: []}}\n", (2, 12), "key_missing"),
        ("version: 1\ntrust: {a: {anchors: []}}\n", (2, 22), "value_empty"),
        ("version: 1\nscope: [a]\n", (2, 8), "wrong_type"),
        ("version: 1\nscope: {host: a}\n", (2, 9), "key_unknown"),
        ("version: [1]\n", (1, 10), "wrong_type"),
        ("strict_sni: true\n", (1, 1), "key_missing"),
        ("version: 1\nrules: [{allow: a, to: b}]\n", (2, 9), "key_missing"),
        ("version: 1\nrules: [{id: a, allow: a}]\n", (2, 9), "key_missing"),
        ("version: 1\nrules: [{id: a, to: b}]\n", (2, 9), "key_missing"),
        ("version: 1\nrules: [{id: a, allow: a, deny: b, to: c}]\n", (2, 27), "keys_conflict"),
        ("version: 1\nrules: [{id: a b, allow: a, to: c}]\n", (2, 14), "name_invalid"),
        ("version: 1\nrules: [{id: anyone, allow: a, to: c}]\n", (2, 14), "name_reserved"),
        ("version: 1\nrules: [{id: a, allow: [], to: c}]\n", (2, 24), "value_empty"),
        ("version: 1\nrules: [{id: a, allow: 'spiffe://a/b', to: c}]\n", (2, 24), "name_invalid"),
        ("version: 1\nrules: [{id: a, allow: b, to: /path}]\n", (2, 31), "name_invalid"),
        ("version: 1\nrules: [{id: a, allow: b, to: c, labels: {d: [e]}}]\n", (2, 46), "wrong_type"),
        ("version: 1\nrules: [{id: a, allow: b, to: c, when: {}}]\n", (2, 40), "value_empty"),
        ("version: 1\nrules: [a]\n", (2, 9), "wrong_type"),
        ("[]\n", (1, 1), "value_empty"),
        ("text\n", (1, 1), "wrong_type"),
    ],
)
def test_law_3_a_wrong_shape_is_one_problem_where_it_stands(policy: str, at: tuple[int, int], code: str) -> None:
    assert places(document_from_bytes("p", policy.encode())[1]) == [(*at, code)]


@pytest.mark.parametrize("word", ["authenticated", "unauthenticated", "anyone"])
def test_built_in_identities_can_be_referred_to(word: str) -> None:
    assert codes(f"version: 1\nrules: [{{id: a, deny: {word}, to: any}}]\n") == []


@pytest.mark.parametrize(
    ("policy", "hint"),
    [
        ("version: 1\nidentities: {a: {ip: 10.0.0.0/8}}\n", "`ip_san`"),
        ("version: 1\nidentities: {a: {ip: 10.0.0.0/8}}\n", "`from`"),
        ("version: 1\nidentities: {a: {CN: b}}\n", "subject: {CN: …}"),
        ("version: 1\nidentities: {a: {dns: {tenant}}}\n", '"{tenant}"'),
        ("version: 1\nroutes: {a: {host: b}}\n", "`hosts`"),
        ("version: 1\ntests: []\n", "*.test.yaml"),
        ("version: 1\nrules: [{id: a, allow: 'spiffe://a/b', to: c}]\n", '{uri: "spiffe://'),
        ("version: 1\nrules: [{id: a, allow: b, to: /path}]\n", "{paths: "),
        ("version: 1\nrules: [{id: a, action: allow, allow: b, to: c}]\n", "`allow: …`"),
        ("version:1\n", "`version: 1`"),
    ],
)
def test_a_common_mistake_has_a_hint_that_mends_it(policy: str, hint: str) -> None:
    assert hint in problem_of(policy).hint


def test_law_3_every_problem_of_a_file_is_reported_at_once() -> None:
    policy = """
version: 1
version: 2
trust: {mesh: {anchor: a.pem}}
identities: {a: &x {uri: [b, {}]}, any: {uri: c}}
rules:
  - {id: r, allow: !y a, to: []}
  - {id: r}
"""
    assert places(document_from_bytes("p", policy.encode())[1]) == [
        (3, 1, "key_duplicate"),
        (4, 16, "key_unknown"),
        (5, 17, "anchor"),
        (5, 30, "value_empty"),
        (5, 36, "name_reserved"),
        (7, 20, "tag"),
        (7, 30, "value_empty"),
        (8, 5, "key_missing"),
        (8, 5, "key_missing"),
    ]


def test_what_is_wrong_is_left_out_and_the_rest_is_kept() -> None:
    policy = "version: 1\nidentities: {a: 1, b: {uri: [x, [y]]}}\nroutes: {c: []}\nrules: [{to: c, allow: a}]\n"
    document, problems = document_from_bytes("p", policy.encode())
    assert document is not None
    assert len(problems) == 4
    assert document.identities == (
        IdentityDocument(Scalar("a", "p", 2, 14), SelectorDocument(Position("p", 2, 17))),
        IdentityDocument(
            Scalar("b", "p", 2, 20), SelectorDocument(Position("p", 2, 23), uri=(Scalar("x", "p", 2, 30),))
        ),
    )
    assert document.routes == (RouteDocument(Scalar("c", "p", 3, 10), Position("p", 3, 13)),)


def test_a_rule_without_id_is_called_by_its_place() -> None:
    document, _ = document_from_bytes("p", b"version: 1\nrules: [{allow: a, to: b}, {allow: c, to: d}]\n")
    assert document is not None
    assert [rule.id.text for rule in document.rules] == ["p:2:9", "p:2:28"]


def test_a_file_without_a_mapping_has_no_document() -> None:
    assert document_from_bytes("p", b"- a\n")[0] is None


POLICY_PIECES = st.recursive(
    st.sampled_from(["any", "a", "", "1", "spiffe://a/b", "{x}", "mon"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(each.key for table in (POLICY, RULE, SELECTOR, ROUTE, TRUST_ENTRY) for each in table.fields),
                    "url",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@settings(deadline=None)
@given(POLICY_PIECES)
def test_law_3_no_tree_makes_the_reader_raise(value: object) -> None:
    data = yaml.safe_dump(value, default_flow_style=True).encode()
    document, problems = document_from_bytes("p", data)
    assert document is not None or problems
    assert all(problem.code in list(Code) and str(problem).isprintable() for problem in problems)
    assert list(problems) == sorted(problems)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_law_3_no_bytes_make_the_reader_raise(data: bytes) -> None:
    document, problems = document_from_bytes("p", data)
    assert document is not None or problems


def large_policy(size: int) -> str:
    parts = ["version: 1\nidentities:\n"]
    parts += (f'  id-{i}: {{uri: "spiffe://acme.internal/ns/prod/sa/svc-{i}"}}\n' for i in range(size))
    parts += ["routes:\n"]
    parts += (
        f'  route-{i}: {{hosts: [svc-{i}.prod.svc], methods: [GET, HEAD], paths: ["/v1/things/{i}", "/v1/x/{{id}}"]}}\n'
        for i in range(size)
    )
    parts += ["rules:\n"]
    parts += (f"  - {{id: rule-{i}, allow: id-{i}, to: route-{i}}}\n" for i in range(size))
    return "".join(parts)


def test_a_large_policy_is_read_in_about_the_time_of_parsing_its_yaml() -> None:
    source = large_policy(2000)
    data = source.encode()

    def seconds_to_read() -> float:
        gc.collect()
        started = time.thread_time()
        document_from_bytes("p", data)
        return time.thread_time() - started

    def seconds_to_compose() -> float:
        gc.collect()
        started = time.thread_time()
        yaml.compose(source, Loader=yaml.CSafeLoader)
        return time.thread_time() - started

    document = document_of(source)
    assert (len(document.identities), len(document.routes), len(document.rules)) == (2000, 2000, 2000)
    # Another process on the same core slows either side at any moment, so the best pair of neighbours counts.
    assert min(seconds_to_read() / seconds_to_compose() for _ in range(5)) < 2
