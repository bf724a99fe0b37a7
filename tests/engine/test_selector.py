"""Names in certificates that mean the same are the same."""

import pytest

from policies.peer.presented import AssertedIdentity
from tests.engine.callers import caller, decided, policy, request
from tests.support.effort import within

TRUST = "trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: td}}\n"


@pytest.mark.parametrize(
    ("selector", "who"),
    [
        ("ip_san: 10.0.0.0/8", caller(ip=["::ffff:10.0.0.1"])),
        ("dns: evil.example", caller(dns=["evil.example."])),
        ("dns: evil.example.", caller(dns=["EVIL.example"])),
        ("dns: '*.example'", caller(dns=["evil.example."])),
    ],
)
def test_another_spelling_of_a_name_does_not_evade_a_deny(
    mesh: dict[str, bytes], selector: str, who: AssertedIdentity
) -> None:
    text = (
        TRUST + f"rules:\n  - {{id: a, allow: authenticated, to: any}}\n  - {{id: d, deny: {{{selector}}}, to: any}}\n"
    )
    assert decided(policy(text, mesh), request(who)).rules == ("d",)


def test_alternatives_with_very_many_ways_are_judged_quickly(mesh: dict[str, bytes]) -> None:
    ways = ", ".join(
        f"{{all: [{{dns: '{{a{n}}}.x'}}, {{dns: '{{b{n}}}.y'}}, {{dns: '{{c{n}}}.z'}}]}}" for n in range(3)
    )
    text = TRUST + f"rules: [{{id: r, allow: {{any: [{ways}]}}, to: any}}]\n"
    names = [f"s{number}.{domain}" for domain in "xyz" for number in range(16)]
    subject = policy(text, mesh)
    with within(0.5):
        decided(subject, request(caller(dns=names)))
