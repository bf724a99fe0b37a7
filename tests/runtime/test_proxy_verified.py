"""The health detail names the entry that proxies verify for, and the rules that ask for more than names."""

import pytest

from runtime.proxy_verified import proxy_verified_notices
from tests.extauth.world import policy_of

HEAD = "version: 1\ntrust: {mesh: {anchors: [root.pem]}}\n"


def notices(rule: str, entry: str = "mesh") -> tuple[str, ...]:
    return proxy_verified_notices(policy_of(f"{HEAD}rules: [{{id: r, {rule}, to: {{paths: [/a]}}}}]\n"), entry)


def test_it_is_always_said() -> None:
    expected = "--proxy-verified mesh: callers are verified by the proxy and not here"
    assert notices("allow: {dns: a.example, subject: {CN: x}}") == (expected,)


def test_an_entry_that_the_policy_does_not_have_is_said() -> None:
    assert notices("allow: authenticated", "partners") == (
        "--proxy-verified partners: the policy has no such trust entry, so it vouches for nobody",
    )


@pytest.mark.parametrize(
    ("rule", "fact"),
    [
        ('allow: {email: "a@b.example"}', "email"),
        ("deny: {ip_san: 10.0.0.0/8}", "ip_san"),
        ("deny: {serial: a1}", "serial"),
        ("allow: {issuer: {CN: x}}", "issuer"),
        ('allow: {issuer: "CN=x"}', "issuer"),
        (f'allow: {{pins: ["sha256:{"A" * 43}="]}}', "the key (pins)"),
        (f'deny: {{fingerprint: "sha256:{"ab" * 32}"}}', "any fingerprint but the one that is told"),
        ("deny: {any: [{dns: a.example}, {not: {all: [authenticated, {serial: a1}]}}]}", "serial"),
    ],
)
def test_a_rule_that_asks_for_more_than_names_is_named(rule: str, fact: str) -> None:
    assert notices(rule)[1] == f"--proxy-verified mesh: {fact} is unknown of callers without certificate; needed by r"
