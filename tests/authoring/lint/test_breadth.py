"""What an allow rule grants beyond what its author may have thought of."""

import pytest

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


@pytest.mark.parametrize(
    "paths",
    [
        '[/, "/*/**"]',
        '[/, "/{a}/**"]',
        '[/, "/*", "/*/", "/*/*/**"]',
        '[/, /a, "/*", "/{x}/", "/*/*", "/*/*/", "/*/*/*/**", "/*/**"]',
    ],
)
def test_paths_that_are_every_path_together_are_wide_for_callers_without_a_certificate(paths: str) -> None:
    assert codes(rule(f"allow: unauthenticated, to: {{methods: [GET], paths: {paths}}}")) == ["unauthenticated_wide"]


def test_routes_that_are_every_path_together_are_wide_for_callers_without_a_certificate() -> None:
    to = '[{methods: [GET], paths: [/]}, {methods: [GET], paths: ["/*/**"]}]'
    assert "unauthenticated_wide" in codes(rule(f"allow: unauthenticated, to: {to}"))


@pytest.mark.parametrize(
    "paths",
    [
        '["/*/**"]',
        '[/, "/*"]',
        '[/, "/*", "/*/*/**"]',
        '[/, "/*/"]',
        '[/, "/a/**"]',
        '["/*", "/*/", "/*/*/**"]',
        '[/, "/{a}/{a}/**"]',
    ],
)
def test_paths_that_leave_out_one_are_not_wide(paths: str) -> None:
    assert "unauthenticated_wide" not in codes(rule(f"allow: unauthenticated, to: {{methods: [GET], paths: {paths}}}"))


def test_a_host_of_its_own_adds_nothing_to_every_host() -> None:
    to = '[{hosts: [h.svc], methods: [GET], paths: [/]}, {methods: [GET], paths: ["/*/**"]}]'
    assert "unauthenticated_wide" not in codes(rule(f"allow: unauthenticated, to: {to}"))
