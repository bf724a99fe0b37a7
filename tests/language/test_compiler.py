"""What the compiler refuses, each with its code, its place and a hint, and what it means by what it accepts."""

from collections.abc import Mapping

import pytest

from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from policies.peer.bundle_source import BundleSource, WorkloadApi
from policies.peer.crl_source import CrlSource
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import AnchorSource
from tests.engine.callers import NoFiles, loaded
from tests.support.spiffe_bundles import bundle, entry_of

FILES = {"root.pem": Authority.root("mesh").pem, "other.pem": Authority.root("other").pem}
ONE = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"
TWO = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}, partners: {anchors: [other.pem]}}\n"
RULE = "rules: [{id: r, allow: authenticated, to: any}]\n"


def problems(text: str, files: Mapping[str, bytes] = FILES) -> list[str]:
    """The codes found, in order of place."""
    return [problem.code for problem in loaded(text, files).problems]


def rule(text: str, trust: str = ONE, rest: str = "") -> str:
    """A policy with one rule."""
    return f"{trust}{rest}rules: [{{id: r, {text}}}]\n"


def test_a_policy_without_problems_compiles() -> None:
    assert loaded(ONE + RULE, FILES).policy is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # identities
        (rule("allow: nobody, to: any"), "name_unknown"),
        (rule("allow: anyone, to: any"), "builtin_misplaced"),
        (rule("allow: {any: [anyone]}, to: {paths: [/a]}"), "builtin_misplaced"),
        (rule("allow: x, to: any", rest="identities: {x: {any: [anyone]}}\n"), "builtin_misplaced"),
        (rule("deny: x, to: any", rest="identities: {x: {any: [anyone]}}\n"), "builtin_misplaced"),
        (rule("allow: unauthenticated, to: any"), "builtin_misplaced"),
        (rule("allow: {any: [authenticated, unauthenticated]}, to: any"), "builtin_misplaced"),
        (rule("allow: {uri: 'spiffe://td/sa-*'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'spiffe://*/sa'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'SPIFFE://td/sa'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'spiffe://TD/sa'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'spiffe://td/a//b'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'spiffe://elsewhere/sa'}, to: any"), "trust_domain_unknown"),
        (rule("allow: {uri: 'spiffe://td/sa', trust: partners}, to: any", TWO), "pattern_invalid"),
        (rule("allow: {uri: 'https://p\u0430rtner.example/x'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'no-scheme'}, to: any"), "pattern_invalid"),
        (rule("allow: {uri: 'spiffe:td/x'}, to: any"), "pattern_invalid"),
        (rule("allow: {email: 'a@x,b@y'}, to: any"), "pattern_invalid"),
        (rule("allow: {dns: '**.x'}, to: any"), "pattern_invalid"),
        (rule("allow: {email: 'a*@x'}, to: any"), "pattern_invalid"),
        (rule("allow: {email: 'x'}, to: any"), "pattern_invalid"),
        (rule("allow: {ip_san: 10.0.0.1/8}, to: any"), "network_invalid"),
        (rule("allow: {subject: {XX: a}}, to: any"), "value_invalid"),
        (rule("allow: {subject: 'CN'}, to: any"), "pattern_invalid"),
        (rule("allow: {pins: 'sha256:abc='}, to: any"), "value_invalid"),
        (rule("allow: {pins: 'sha1:abc='}, to: any"), "value_invalid"),
        (rule("allow: {fingerprint: 'sha256:abcd'}, to: any"), "value_invalid"),
        (rule("allow: {serial: xyz}, to: any"), "value_invalid"),
        (rule("allow: {trust: nobody}, to: any"), "name_unknown"),
        # routes
        (rule("allow: authenticated, to: nowhere"), "name_unknown"),
        (rule("allow: authenticated, to: {hosts: ['a:80']}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {hosts: ['a.*']}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {methods: [get]}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {methods: [CONNECT]}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {paths: [a]}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {paths: [/a/../b]}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {paths: ['/a?b']}"), "pattern_invalid"),
        (rule("deny: authenticated, to: {paths: ['/admin//**']}"), "pattern_invalid"),
        (rule("deny: authenticated, to: {paths: ['//**']}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {paths: ['/**/a']}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {grpc: [Ledger]}"), "pattern_invalid"),
        (rule("allow: authenticated, to: {grpc: [a.B/C], methods: [POST]}"), "keys_conflict"),
        (rule("allow: authenticated, to: {headers: {host: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {':path': [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {X-Forwarded-Client-Cert: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {x_forwarded_client_cert: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {x-peergate-identity: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {connection: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {X-Forwarded-For: [10.0.0.1]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {x-real-ip: [10.0.0.1]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {forwarded: [a]}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {x-env: ['a,b']}}"), "header_invalid"),
        (rule("allow: authenticated, to: {headers: {x-env: [a], X-Env: [b]}}"), "header_invalid"),
        # conditions
        (rule("allow: authenticated, from: nowhere, to: any"), "name_unknown"),
        (rule("allow: authenticated, from: 10.0.0.1/8, to: any"), "network_invalid"),
        (rule("allow: authenticated, from: '::ffff:10.0.0.0/104', to: any"), "network_invalid"),
        (rule("allow: authenticated, from: 10.0.0.0/0.0.0.255, to: any"), "network_invalid"),
        (rule("allow: authenticated, from: z, to: any", rest="zones: {z: [300.0.0.0/8]}\n"), "network_invalid"),
        (rule("allow: authenticated, to: any", rest="zones: {10.0.0.1: [10.0.0.0/8]}\n"), "name_invalid"),
        (rule("allow: authenticated, to: any, when: {after: 2026-12-01}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {after: 2026-12-01T00:00:00}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {after: 2026-13-01T00:00:00Z}"), "value_invalid"),
        (
            rule("allow: authenticated, to: any, when: {after: 2026-12-01T00:00:00Z, before: 2026-12-01T00:00:00Z}"),
            "window_empty",
        ),
        (rule("allow: authenticated, to: any, when: {days: [monday]}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {hours: ['9:00-17:00']}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {hours: ['09:00-09:00']}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {hours: ['1\u0662:00-13:00']}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {hours: ['09:00-17:00'], timezone: Mars/Base}"), "value_invalid"),
        (rule("allow: authenticated, to: any, when: {sni: ['{t}.x']}"), "pattern_invalid"),
        # rules
        (rule("allow: authenticated, to: any, mode: maybe"), "value_invalid"),
        (rule("deny: authenticated, to: any, set_headers: {x-a: b}"), "header_invalid"),
        (rule("allow: authenticated, to: any, set_headers: {x-a: '{tenant}'}"), "template_invalid"),
        (rule("allow: authenticated, to: any, set_headers: {x-a: '{'}"), "template_invalid"),
        (rule("allow: authenticated, to: any, set_headers: {x-peergate-identity: a}"), "header_invalid"),
        (rule("allow: authenticated, to: any, set_headers: {x_a: b}"), "header_invalid"),
        (rule("allow: {not: {uri: 'spiffe://td/{t}'}}, to: any"), "binding_misplaced"),
        ("version: 2\n" + RULE, "key_duplicate"),
        (ONE, "no_rule"),
        ("strict_sni: maybe\n" + RULE, "value_invalid"),
        ("mode: observe\n" + RULE, "value_invalid"),
    ],
)  # fmt: skip
def test_what_would_mean_something_else_than_it_says_is_a_problem(text: str, code: str) -> None:
    assert code in problems(text)


@pytest.mark.parametrize(
    ("who", "to", "code"),
    [
        ("{uri: 'spiffe://td/{t}'}", "{paths: ['/{t}']}", None),
        ("{uri: 'spiffe://td/{t}'}", "{paths: ['/{t}/{file}']}", None),
        ("{uri: 'spiffe://td/{t}/{app}'}", "{paths: ['/{t}']}", None),
        ("{uri: 'spiffe://td/{t}'}", "any", None),
        ("authenticated", "{paths: ['/{t}']}", None),
        ("{uri: 'spiffe://td/{t}'}", "{paths: ['/{tt}']}", "binding_unmatched"),
        ("{uri: 'spiffe://td/{t}/{app}'}", "{paths: ['/{t}/{file}']}", "binding_unmatched"),
        ("{uri: 'spiffe://td/{t}'}", "{paths: ['/{t}', /public]}", "binding_partial"),
        ("{uri: 'spiffe://td/{t}'}", "[{paths: ['/{t}']}, any]", "binding_partial"),
        ("[{uri: 'spiffe://td/{t}'}, authenticated]", "{paths: ['/{t}']}", "binding_partial"),
        ("{any: [{uri: 'spiffe://td/{t}'}, {dns: a.x}]}", "{paths: ['/{t}']}", "binding_partial"),
        ("{all: [{uri: 'spiffe://td/{t}'}, {dns: a.x}]}", "{paths: ['/{t}']}", None),
        ("{uri: ['spiffe://td/{t}', 'spiffe://td/x/{t}']}", "{hosts: ['{t}.x'], paths: ['/{t}']}", None),
        ("{uri: ['spiffe://td/{t}', 'spiffe://td/admin']}", "{paths: ['/{t}']}", "binding_partial"),
    ],
)
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_bound_names_tie_both_sides_or_are_a_problem(who: str, to: str, code: str | None, effect: str) -> None:
    assert problems(rule(f"{effect}: {who}, to: {to}")) == ([code] if code else [])


@pytest.mark.parametrize(
    "selector",
    [
        "dns: a.x",
        "email: a@x",
        "ip_san: 10.0.0.0/8",
        "subject: {CN: a}",
        "issuer: 'CN=a'",
        "serial: ff",
        "uri: 'urn:x'",
    ],
)
@pytest.mark.parametrize("around", ["{%s}", "{not: {%s}}", "{any: [{%s}]}", "{all: [{%s}, authenticated]}"])
@pytest.mark.parametrize("effect", ["allow", "deny"])
def test_with_several_trust_entries_a_field_that_any_ca_fills_in_must_name_trust(
    selector: str, around: str, effect: str
) -> None:
    who = around % selector
    assert problems(rule(f"{effect}: {who}, to: any", TWO)) == ["trust_unnamed"]
    assert problems(rule(f"{effect}: {who}, to: any", ONE)) == []
    named = around % f"trust: mesh, {selector}"
    assert problems(rule(f"{effect}: {named}, to: any", TWO)) == []
    enclosing = "{trust: mesh, " + who[1:]
    assert problems(rule(f"{effect}: {enclosing}, to: any", TWO)) == []


@pytest.mark.parametrize(
    "selector", [f"pins: 'sha256:{'A' * 43}='", f"fingerprint: 'sha256:{'0' * 64}'", "uri: 'spiffe://td/a'"]
)
def test_what_only_one_certificate_or_trust_domain_can_have_needs_no_trust(selector: str) -> None:
    assert problems(rule(f"allow: {{{selector}}}, to: any", TWO)) == []


def test_identities_that_define_each_other_are_a_problem() -> None:
    found = loaded(rule("allow: a, to: any", rest="identities: {a: {any: [b]}, b: {not: c}, c: {all: [a]}}\n"), FILES)
    (problem,) = found.problems
    assert problem.code == "cycle"
    assert "a -> b -> c -> a" in problem.message


def test_a_chain_of_references_is_bounded() -> None:
    chain = ", ".join(f"i{number}: {{any: [i{number + 1}]}}" for number in range(2000))
    text = rule("allow: i0, to: any", rest=f"identities: {{{chain}, i2000: {{trust: mesh}}}}\n")
    assert set(problems(text)) == {"references_too_deep"}


def test_the_bound_on_references_does_not_depend_on_the_order_of_names() -> None:
    chain = [f"i{number}: {{any: [i{number + 1}]}}" for number in range(40)]
    for names in (chain, chain[::-1]):
        text = rule("allow: i0, to: any", rest=f"identities: {{{', '.join([*names, 'i40: {trust: mesh}'])}}}\n")
        assert set(problems(text)) == {"references_too_deep"}


def test_references_that_fan_out_are_compiled_once() -> None:
    layers = ", ".join(f"i{n}: {{any: [{', '.join([f'i{n + 1}'] * 20)}]}}" for n in range(14))
    text = rule("allow: i0, to: any", rest=f"identities: {{{layers}, i14: {{uri: 'spiffe://td/a'}}}}\n")
    assert problems(text) == []


@pytest.mark.parametrize(
    ("route", "inside"),
    [
        ("{hosts: [a.team.x]}", True),
        ("{hosts: ['*.team.x']}", True),
        ("{hosts: ['{t}.team.x'], paths: ['/{t}']}", True),
        ("{hosts: [a.team.x, other.x]}", False),
        ("{hosts: ['**.team.x']}", False),
        ("{paths: [/a]}", False),
        ("any", False),
    ],
)
def test_a_scope_binds_every_route_that_the_rules_of_its_file_use(route: str, inside: bool) -> None:
    text = "scope: {hosts: ['*.team.x']}\n" + rule(f"allow: authenticated, to: {route}", trust="")
    assert problems(text) == ([] if inside else ["scope_exceeded"])


def test_a_file_with_a_scope_cannot_say_who_may_vouch_for_callers() -> None:
    text = "scope: {hosts: [team.x]}\n" + rule("allow: authenticated, to: {hosts: [team.x]}")
    assert problems(text) == ["scope_exceeded"]


@pytest.mark.parametrize(
    "text",
    [
        "strict_sni: true\n",
        "routes: {api: {hosts: [team.x, admin.x]}}\n",
        "routes: {api: {paths: [/a]}}\n",
        "rules: [{id: r, allow: authenticated, to: {hosts: [team.x]}, set_headers: {authorization: a}}]\n",
    ],
)
def test_a_file_with_a_scope_says_nothing_that_holds_outside_of_it(text: str) -> None:
    files = {"a.yaml": f"version: 1\n{ONE}{RULE}".encode()}
    team = f"version: 1\nscope: {{hosts: [team.x]}}\n{text}".replace("id: r", "id: team").encode()
    found = load_policy({**files, "team.yaml": team}, NoFiles(FILES)).problems
    assert [problem.code for problem in found] == ["scope_exceeded"]


def test_a_file_with_a_scope_may_set_headers_of_its_own() -> None:
    rules = "rules: [{id: t, allow: authenticated, to: {hosts: [team.x]}, set_headers: {x-team: a}}]\n"
    team = f"version: 1\nscope: {{hosts: [team.x]}}\nroutes: {{api: {{hosts: [team.x]}}}}\n{rules}".encode()
    assert load_policy({"a.yaml": f"version: 1\n{ONE}{RULE}".encode(), "t.yaml": team}, NoFiles(FILES)).problems == ()


def test_a_scope_binds_only_its_own_file() -> None:
    files = {
        "a.yaml": b"version: 1\nscope: {hosts: [a.x]}\nrules: [{id: a, allow: authenticated, to: {hosts: [a.x]}}]",
        "b.yaml": b"version: 1\ntrust: {mesh: {anchors: [root.pem]}}\nrules: [{id: b, allow: authenticated, to: any}]",
    }
    assert load_policy(files, NoFiles(FILES)).problems == ()


def shadow_ids(files: dict[str, str]) -> list[str]:
    found = load_policy({name: text.encode() for name, text in files.items()}, NoFiles(FILES))
    assert found.policy is not None, found.problems
    return [rule.id for rule in found.policy.rules if rule.shadow]


def test_the_mode_of_a_file_is_that_of_its_rules_which_say_none() -> None:
    rules = "rules:\n- {id: b, allow: authenticated, to: any}\n- {id: c, deny: anyone, to: any, mode: enforce}\n"
    files = {"a.yaml": f"version: 1\n{ONE}{RULE}", "b.yaml": f"version: 1\nmode: shadow\n{rules}"}
    assert shadow_ids(files) == ["b"]
    assert shadow_ids({**files, "b.yaml": files["b.yaml"].replace("shadow", "enforce")}) == []


def test_a_policy_of_one_file_may_be_in_shadow_mode_as_a_whole() -> None:
    assert shadow_ids({"a.yaml": f"version: 1\nmode: shadow\nstrict_sni: true\n{ONE}{RULE}"}) == ["r"]


def test_a_file_in_shadow_mode_says_nothing_that_holds_for_the_rules_of_others() -> None:
    text = "version: 1\nmode: shadow\nstrict_sni: true\ntrust: {new: {anchors: [root.pem]}}\n"
    files = {"a.yaml": f"version: 1\n{ONE}{RULE}".encode(), "b.yaml": text.encode()}
    found = load_policy(files, NoFiles(FILES)).problems
    assert [(problem.code, problem.at.line) for problem in found] == [("keys_conflict", 3), ("keys_conflict", 4)]


def test_names_are_unique_across_files_and_settings_stand_in_one() -> None:
    text = b"version: 1\nstrict_sni: true\nidentities: {a: {trust: m}}\n"
    text += b"routes: {a: {paths: [/a]}}\nzones: {a: [10.0.0.0/8]}\n"
    trust = b"trust: {m: {anchors: [root.pem]}}\nrules: [{id: a, allow: a, to: a}]\n"
    found = load_policy({"a.yaml": text + trust, "b.yaml": text + trust}, NoFiles(FILES)).problems
    codes = [problem.code for problem in found]
    assert codes.count("name_taken") == 5
    assert codes.count("setting_repeated") == 1
    assert {problem.at.file for problem in found} == {"b.yaml"}


def test_a_wrong_version_says_which_one_is_read() -> None:
    (problem,) = load_policy({"a.yaml": (b"version: 2\n" + (ONE + RULE).encode())}, NoFiles(FILES)).problems
    assert (problem.code, problem.hint) == ("version_unknown", "write `version: 1`")


def test_a_name_in_a_file_that_cannot_be_read_is_not_called_unknown() -> None:
    files = {
        "a.yaml": b"version: 1\nrules: [{id: r, allow: x, to: any}]\n",
        "b.yaml": b"version: 1\nidentities: {x: [\n",
    }
    assert {problem.at.file for problem in load_policy(files, NoFiles()).problems} == {"b.yaml"}


def test_every_problem_is_reported_at_once_and_sorted() -> None:
    text = "rules:\n  - {id: r, allow: nobody, to: nowhere}\n  - {id: r, deny: {serial: x}, to: {hosts: ['a:1']}}\n"
    found = loaded(text).problems
    assert [problem.code for problem in found] == [
        "name_unknown", "name_unknown", "name_taken", "value_invalid", "pattern_invalid"
    ]  # fmt: skip
    assert list(found) == sorted(found)


# --- trust


def trust(entry: str) -> str:
    """A policy with this one trust entry."""
    return f"trust: {{m: {{{entry}}}}}\n{RULE}"


MESH = Authority.root("m")
LEAF = MESH.issue(uri=["spiffe://td/a"])
ISSUING = MESH.intermediate("issuing")
TRUST_FILES = {
    "root.pem": MESH.pem,
    "issuing.pem": ISSUING.pem,
    "leaf.pem": LEAF.pem,
    "junk.pem": b"junk",
    "td.jwks": bundle(entry_of(MESH), sequence=7),
    "m.crl": MESH.crl([LEAF.certificate]),
    "foreign.crl": Authority.root("m").crl(),
    "issuing.crl": ISSUING.crl(),
    "folder/m.crl": MESH.crl(),
}


@pytest.mark.parametrize(
    ("entry", "codes"),
    [
        ("anchors: [root.pem]", []),
        ("anchors: [issuing.pem]", []),
        ("anchors: [root.pem], intermediates: [issuing.pem], crls: [issuing.crl, m.crl]", []),
        ("anchors: [root.pem], crls: [folder], revocation: require", []),
        ("anchors: [root.pem], revocation: 'off'", []),
        ("anchors: [root.pem], max_lifetime: 90d", []),
        ("anchors: [root.pem], clock_skew: 1h, min_rsa_bits: 8192", []),
        ("anchors: [root.pem], clock_skew: 61m", ["value_invalid"]),
        ("anchors: [root.pem], clock_skew: '-1s'", ["value_invalid"]),
        ("anchors: [root.pem], min_rsa_bits: 1024", ["value_invalid"]),
        ("anchors: [root.pem], min_rsa_bits: 8193", ["value_invalid"]),
        ("anchors: [root.pem], min_rsa_bits: 0x1000", ["value_invalid"]),
        ("anchors: [root.pem], min_rsa_bits: '\uff12048'", ["value_invalid"]),
        ("spiffe_bundle: td.jwks, spiffe_trust_domain: td", []),
        ("spiffe_bundle: td.jwks, spiffe_trust_domain: td, intermediates: [issuing.pem], crls: [m.crl]", []),
        ("spiffe_bundle: td.jwks", ["key_missing"]),
        ("spiffe_bundle: td.jwks, anchors: [root.pem], spiffe_trust_domain: td", ["keys_conflict"]),
        ("spiffe_trust_domain: td", ["key_missing"]),
        ("spiffe_bundle: root.pem, spiffe_trust_domain: td", ["certificate_invalid"]),
        ("spiffe_bundle: missing.jwks, spiffe_trust_domain: td", ["file_unreadable"]),
        ("anchors: [td.jwks]", ["certificate_invalid"]),
        ("anchors: [missing.pem]", ["file_unreadable"]),
        ("anchors: [junk.pem]", ["certificate_invalid"]),
        ("anchors: [leaf.pem]", ["certificate_invalid"]),
        ("anchors: [root.pem], crls: [root.pem]", ["crl_invalid"]),
        ("anchors: [root.pem], crls: [foreign.crl]", ["crl_invalid"]),
        ("anchors: [root.pem], crls: [issuing.crl]", ["crl_invalid"]),
        ("anchors: [root.pem], crls: [missing.crl]", ["file_unreadable"]),
        ("anchors: [root.pem], crls: [{url: 'https://x/crl'}]", []),
        ("anchors: [root.pem], crls: [{url: 'http://x/crl', allow_private: true}], revocation: require", []),
        ("anchors: [root.pem], crls: [{url: 'file:///x/crl'}]", ["value_invalid"]),
        ("anchors: [root.pem], crls: [{url: 'http://x/crl', allow_private: maybe}]", ["value_invalid"]),
        ("anchors: [root.pem], revocation: require", ["revocation_without_source"]),
        ("anchors: [root.pem], crls: [{certificate_urls: ['http://x/crl']}, m.crl], revocation: require", []),
        ("anchors: [root.pem], crls: [{certificate_urls: 'http://x/', allow_private: true}]", []),
        ("anchors: [root.pem], crls: [{certificate_urls: ['http://x/%2e']}]", ["value_invalid"]),
        ("anchors: [root.pem], crls: [{certificate_urls: ['http://x'], allow_private: yes}]", ["value_invalid"]),
        ("anchors: [root.pem], crls: [{url: 'http://x', certificate_urls: ['http://x']}]", ["keys_conflict"]),
        ("anchors: [root.pem], crls: [{allow_private: true}]", ["key_missing"]),
        ("anchors: [root.pem], ocsp: {url: 'http://x'}, revocation: require", []),
        ("anchors: [root.pem], ocsp: {url: 'http://x', method: get, nonce: true, allow_private: true}", []),
        ("anchors: [root.pem], ocsp: {certificate_urls: ['http://x/a', 'https://y']}, revocation: require", []),
        ("anchors: [root.pem], ocsp: {url: 'file:///x'}", ["value_invalid"]),
        ("anchors: [root.pem], ocsp: {url: 'http://x', method: put}", ["value_invalid"]),
        ("anchors: [root.pem], ocsp: {url: 'http://x', nonce: sometimes}", ["value_invalid"]),
        ("anchors: [root.pem], ocsp: {certificate_urls: ['http://x/?q=1']}", ["value_invalid"]),
        ("anchors: [root.pem], ocsp: {certificate_urls: ['ldap://x']}", ["value_invalid"]),
        ("anchors: [root.pem], ocsp: {allow_private: true}", ["key_missing"]),
        ("anchors: [root.pem], ocsp: {url: 'http://x', certificate_urls: ['http://x']}", ["keys_conflict"]),
        ("anchors: [root.pem], ocsp: 'http://x'", ["wrong_type"]),
        ("anchors: [root.pem], revocation: always", ["value_invalid"]),
        ("anchors: [root.pem], max_lifetime: 3 months", ["value_invalid"]),
        ("anchors: [root.pem], spiffe_trust_domain: TD", ["value_invalid"]),
    ],
)
def test_trust_files_are_read_and_verified_at_load(entry: str, codes: list[str]) -> None:
    assert problems(trust(entry), TRUST_FILES) == codes


def _with_bundle(sequence: int | None, previous: PolicySet | None = None) -> tuple[PolicySet | None, list[str]]:
    text = f"version: 1\n{trust('spiffe_bundle: td.jwks, spiffe_trust_domain: td')}".encode()
    files = {"td.jwks": bundle(entry_of(MESH), sequence=sequence)}
    found = load_policy({"p.yaml": text}, NoFiles(files), previous)
    return found.policy, [problem.code for problem in found.problems]


LIVE = 'spiffe_bundle: {workload_api: "unix:///run/agent.sock"}, spiffe_trust_domain: td'


class Telling(NoFiles):
    """Files, and what the Workload API at /run/agent.sock tells of the trust domain td."""

    def __init__(self, told: bytes | None) -> None:
        super().__init__(TRUST_FILES)
        self._told = told

    def bundle(self, source: BundleSource) -> bytes | None:
        assert source == BundleSource(WorkloadApi("/run/agent.sock"), TrustDomain("td"))
        return self._told


def _with_live_bundle(
    told: bytes | None, entry: str = LIVE, previous: PolicySet | None = None
) -> tuple[PolicySet | None, list[str]]:
    found = load_policy({"p.yaml": f"version: 1\n{trust(entry)}".encode()}, Telling(told), previous)
    return found.policy, [problem.code for problem in found.problems]


def test_the_bundle_of_a_workload_api_gives_the_anchors_and_names_the_generation() -> None:
    der = MESH.issued.der
    (one, _), (two, _) = _with_live_bundle(der), _with_live_bundle(der + Authority.root("next").issued.der)
    assert one is not None
    assert two is not None
    assert [len(found.trust.entries[0].anchors) for found in (one, two)] == [1, 2]
    assert one.generation != two.generation
    assert one.trust.entries[0].anchors_from is AnchorSource.WORKLOAD_API


def test_without_any_bundle_ever_the_policy_is_not_loaded() -> None:
    assert _with_live_bundle(None) == (None, ["bundle_missing"])
    assert _with_live_bundle(b"junk") == (None, ["certificate_invalid"])


def test_a_withdrawn_bundle_trusts_nobody_and_is_no_problem_with_crls_either() -> None:
    entry = f"{LIVE}, crls: [m.crl], revocation: require"
    first, codes = _with_live_bundle(MESH.issued.der, entry)
    assert codes == []
    found, codes = _with_live_bundle(b"", entry, first)
    assert codes == []
    assert found is not None
    assert found.trust.entries[0].anchors == ()


class TellingAndFetching(Telling):
    """A Workload API, and a CRL from a URL, None as long as it cannot be fetched."""

    def __init__(self, told: bytes | None, crl: bytes | None) -> None:
        super().__init__(told)
        self.crl = crl

    def fetched(self, source: CrlSource) -> bytes | None:
        return self.crl


def test_a_bundle_that_is_withdrawn_and_told_again_pardons_nobody() -> None:
    text = f"version: 1\n{trust(f'{LIVE}, crls: [{{url: https://crl.example/m}}]')}".encode()

    def told(bundle: bytes, crl: bytes | None, previous: PolicySet | None) -> tuple[PolicySet | None, list[str]]:
        found = load_policy({"p.yaml": text}, TellingAndFetching(bundle, crl), previous)
        return found.policy, [problem.code for problem in found.problems]

    revoking = MESH.crl([LEAF.certificate])
    first, _ = told(MESH.issued.der, revoking, None)
    withdrawn, codes = told(b"", None, first)
    assert (withdrawn is not None, codes) == (True, [])
    assert told(MESH.issued.der, None, withdrawn) == (None, ["crl_missing"])
    assert told(MESH.issued.der, revoking, withdrawn)[1] == []


def test_a_numbered_bundle_file_may_give_way_to_a_workload_api() -> None:
    numbered, _ = _with_bundle(7)
    assert _with_live_bundle(MESH.issued.der, previous=numbered)[1] == []


@pytest.mark.parametrize(
    ("entry", "codes"),
    [
        ('spiffe_bundle: {workload_api: "unix:///run/agent.sock"}', ["key_missing"]),
        ('spiffe_bundle: {workload_api: "unix:///run/agent.sock"}, spiffe_trust_domain: TD', ["value_invalid"]),
        ("spiffe_bundle: {workload_api: /run/agent.sock}, spiffe_trust_domain: td", ["value_invalid"]),
        ('spiffe_bundle: {workload_api: "tcp://127.0.0.1:8081"}, spiffe_trust_domain: td', ["value_invalid"]),
        ("spiffe_bundle: {}, spiffe_trust_domain: td", ["value_empty"]),
        ('spiffe_bundle: {socket: "unix:///x"}, spiffe_trust_domain: td', ["key_missing", "key_unknown"]),
        (f"anchors: [root.pem], {LIVE}", ["keys_conflict"]),
    ],
)
def test_what_is_wrong_with_a_workload_api_is_said(entry: str, codes: list[str]) -> None:
    assert sorted(_with_live_bundle(MESH.issued.der, entry)[1]) == codes


def test_a_bundle_with_a_lower_sequence_than_the_last_good_one_is_a_problem() -> None:
    first, _ = _with_bundle(7)
    assert first is not None
    assert _with_bundle(6, first) == (None, ["bundle_older"])
    for sequence in (7, 8):
        assert _with_bundle(sequence, first)[1] == []


def test_a_bundle_that_was_taken_out_for_a_while_comes_back_no_older() -> None:
    first, _ = _with_bundle(7)
    without = load_policy(
        {"p.yaml": f"version: 1\n{trust('anchors: [root.pem]')}".encode()}, NoFiles(TRUST_FILES), first
    )
    assert without.policy is not None
    assert _with_bundle(6, without.policy) == (None, ["bundle_older"])
    assert _with_bundle(7, without.policy)[1] == []


def test_a_bundle_without_sequence_may_be_older_than_one_that_had_a_number() -> None:
    numbered, _ = _with_bundle(7)
    assert _with_bundle(None, numbered) == (None, ["bundle_older"])
    unnumbered, _ = _with_bundle(None)
    for sequence in (None, 0):
        assert _with_bundle(sequence, unnumbered)[1] == []


def test_one_trust_domain_belongs_to_one_entry() -> None:
    entries = "a: {anchors: [root.pem], spiffe_trust_domain: td}, b: {anchors: [other.pem], spiffe_trust_domain: td}"
    assert problems(f"trust: {{{entries}}}\n{RULE}") == ["trust_domain_taken"]


def _with_crl(crl: bytes, previous: PolicySet | None = None) -> tuple[PolicySet | None, list[str]]:
    text = f"version: 1\n{trust('anchors: [root.pem], crls: [m.crl]')}".encode()
    found = load_policy({"p.yaml": text}, NoFiles({"root.pem": MESH.pem, "m.crl": crl}), previous)
    return found.policy, [problem.code for problem in found.problems]


def test_a_crl_older_than_the_last_good_one_is_a_problem() -> None:
    first, _ = _with_crl(MESH.crl([LEAF.certificate], number=7))
    assert _with_crl(MESH.crl(number=6), first) == (None, ["crl_older"])
    again, codes = _with_crl(MESH.crl([LEAF.certificate], number=7), first)
    assert (again is not None, codes) == (True, [])
    later, codes = _with_crl(MESH.crl(number=8), first)
    assert (later is not None, codes) == (True, [])


def _with_folder(files: dict[str, bytes], previous: PolicySet | None = None) -> tuple[PolicySet | None, list[str]]:
    entry = "anchors: [root.pem], intermediates: [issuing.pem], crls: [crls]"
    text = f"version: 1\n{trust(entry)}".encode()
    found = load_policy({"p.yaml": text}, NoFiles({**TRUST_FILES, **files}), previous)
    return found.policy, [problem.code for problem in found.problems]


def test_a_crl_that_vanishes_from_its_folder_is_a_problem_and_not_a_pardon() -> None:
    both = {"crls/m.crl": MESH.crl([LEAF.certificate]), "crls/issuing.crl": ISSUING.crl()}
    first, _ = _with_folder(both)
    assert first is not None
    assert _with_folder({"crls/issuing.crl": ISSUING.crl()}, first) == (None, ["crl_missing"])
    again, codes = _with_folder(both, first)
    assert (again is not None, codes) == (True, [])


def test_an_older_crl_is_refused_though_the_policy_named_none_in_between() -> None:
    first, _ = _with_crl(MESH.crl([LEAF.certificate], number=7))
    plain = f"version: 1\n{trust('anchors: [root.pem]')}".encode()
    between = load_policy({"p.yaml": plain}, NoFiles({"root.pem": MESH.pem}), first).policy
    assert between is not None
    assert _with_crl(MESH.crl(number=6), between) == (None, ["crl_older"])


# --- generations


def test_a_generation_is_named_after_everything_that_was_read() -> None:
    first, _ = _with_crl(MESH.crl(number=1))
    same, _ = _with_crl(MESH.crl(number=1))
    other, _ = _with_crl(MESH.crl([1], number=2))
    assert first is not None
    assert same is not None
    assert other is not None
    assert first.generation != other.generation
    assert len(first.generation) == 16


def test_the_same_files_are_the_same_generation_wherever_they_are() -> None:
    text = f"version: 1\n{ONE}{RULE}".encode()
    one = load_policy({"/etc/peergate/p.yaml": text}, NoFiles(FILES)).policy
    other = load_policy({"p.yaml": text}, NoFiles(FILES)).policy
    assert one is not None
    assert other is not None
    assert one.generation == other.generation
