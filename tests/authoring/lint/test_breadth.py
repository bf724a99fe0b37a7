"""What an allow rule grants beyond what its author may have thought of."""

from tests.authoring.lint.linted import MESH_ID, codes

WEB = f'{{uri: "{MESH_ID}/web"}}'


def rule(rest: str) -> str:
    return f"rules:\n  - {{id: a, {rest}}}\n"


def test_to_any_is_wide_under_allow_only() -> None:
    assert codes(rule(f"allow: {WEB}, to: any")) == ["to_any"]
    assert codes(rule(f"deny: {WEB}, to: any")) == []


def test_everybody_may_read_but_not_write() -> None:
    assert codes(rule("allow: authenticated, to: {methods: [GET, HEAD], paths: [/a]}")) == []
    for to in ("{methods: [GET, POST], paths: [/a]}", "{paths: [/a]}", "{grpc: [a.B/C]}"):
        assert codes(rule(f"allow: authenticated, to: {to}")) == ["authenticated_writes"]


def test_every_path_of_a_host_that_has_narrower_routes_is_wide() -> None:
    other = "  - {id: b, deny: anyone, to: {hosts: [h.svc], paths: [/admin]}}\n"
    for wide in ("{hosts: [h.svc]}", '{hosts: [h.svc], paths: ["/**"]}'):
        assert codes(rule(f"allow: {WEB}, to: {wide}") + other) == ["path_wide"]
    assert codes(rule(f"allow: {WEB}, to: {{hosts: [h.svc], paths: [/b]}}") + other) == []
    assert codes(rule(f"allow: {WEB}, to: {{hosts: [i.svc]}}") + other) == []


def test_callers_without_a_certificate_may_read_what_is_named() -> None:
    assert codes(rule("allow: unauthenticated, to: {methods: [GET], paths: [/healthz]}")) == []
    for to in ("{methods: [GET, POST], paths: [/a]}", "{paths: [/a]}"):
        assert codes(rule(f"allow: unauthenticated, to: {to}")) == ["unauthenticated_writes"]
    for to in ("{methods: [GET]}", '{methods: [GET], paths: ["/**"]}'):
        assert codes(rule(f"allow: unauthenticated, to: {to}")) == ["unauthenticated_wide"]
    both = "allow: {any: [authenticated, unauthenticated]}, to: {methods: [GET, PUT]}"
    assert codes(rule(both)) == ["unauthenticated_wide", "unauthenticated_writes"]
    listed = "allow: [authenticated, unauthenticated], to: {methods: [GET, PUT]}"
    assert codes(rule(listed)) == ["authenticated_writes", "unauthenticated_wide", "unauthenticated_writes"]
    assert codes(rule('allow: unauthenticated, to: {hosts: [h.svc], methods: [GET], paths: ["/**"]}')) == []
    assert codes(rule("deny: unauthenticated, to: {paths: [/a]}")) == []
