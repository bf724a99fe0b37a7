"""Generated certificates of policy tests are judged for real: chain, dates, usage, revocation."""

from datetime import timedelta

import pytest

from peergate.stand_ins import StandIns
from policies.authoring.suite import Suite, suite_from_bytes
from policies.authoring.testing import Report, report_from_suites
from policies.engine.policy_set import PolicySet
from policies.language.problem import Problem
from policies.peer.presented import presented_from_der
from tests.authoring.policies import MESH, NOW, PARTNERS, Memory, policy_from_text

BILLING = "spiffe://acme.internal/ns/prod/sa/billing"
POLICY = """
version: 1
trust:
  mesh: {anchors: [mesh.pem], spiffe_trust_domain: acme.internal, max_lifetime: 24h}
  partners: {anchors: [partners.pem], crls: [partners.crl], revocation: require}
identities:
  billing: {uri: "spiffe://acme.internal/ns/prod/sa/billing"}
  partner: {trust: partners, dns: "*.partner.example", issuer: {CN: partner root}}
  imposter: {trust: partners, issuer: {CN: Issuing CA 2}}
rules:
  - {id: billing-reads, allow: billing, to: {paths: [/a]}}
  - {id: partner-reads, allow: partner, to: {paths: [/a]}}
  - {id: second-ca, allow: imposter, to: {paths: [/a]}}
"""
FILES = Memory({"mesh.pem": MESH.pem, "partners.pem": PARTNERS.pem, "partners.crl": PARTNERS.crl()})


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text(POLICY, FILES)


def read(
    policy: PolicySet, maker: StandIns, wish: str, expect: str, when: str
) -> tuple[Suite | None, tuple[Problem, ...]]:
    test = f"{{as: {{generate: {wish}}}, request: GET https://h/a, time: {when}, expect: {expect}}}"
    text = f"version: 1\ntests:\n  - {test}\n"
    return suite_from_bytes("a.test.yaml", text.encode(), policy, FILES, maker, NOW.timestamp())


def report(policy: PolicySet, wish: str, expect: str, when: str = "2026-03-04T12:00:00Z") -> Report:
    maker = StandIns(policy.trust)
    suite, problems = read(policy, maker, wish, expect, when)
    assert suite is not None, problems
    return report_from_suites(policy.with_trust(maker.trust()), [suite])


NAME = f"uri: '{BILLING}'"
PARTNER = "trust: partners, dns: gw.partner.example"


@pytest.mark.parametrize(
    ("wish", "expect"),
    [
        (f"{{{NAME}}}", "allow by billing-reads"),
        (f"{{trust: mesh, {NAME}}}", "allow by billing-reads"),
        (f"{{{NAME}, expired: true}}", "deny because certificate_expired"),
        (f"{{{NAME}, expired: false}}", "allow"),
        (f"{{{NAME}, not_after: 2026-03-04T11:59:59Z}}", "deny because certificate_expired"),
        (f"{{{NAME}, not_after: 2026-03-04T12:00:01Z}}", "allow"),
        (f"{{{NAME}, not_before: 2026-03-04T12:00:01Z}}", "deny because certificate_not_yet_valid"),
        (
            f"{{{NAME}, not_before: 2026-03-04T00:00:00Z, not_after: 2026-03-06T00:00:00Z}}",
            "deny because certificate_untrusted",
        ),
        (f"{{{NAME}, usage: server}}", "deny because certificate_untrusted"),
        (f"{{{NAME}, usage: [client, server]}}", "allow"),
        (f"{{{NAME}, untrusted: true}}", "deny because certificate_untrusted"),
        (f"{{trust: partners, {NAME}}}", "deny because svid_invalid"),
        (f"{{uri: ['{BILLING}', 'spiffe://acme.internal/b']}}", "deny because svid_invalid"),
        (f"{{{NAME}, dns: billing.prod.svc}}", "allow"),
        (f"{{{NAME}, revoked: true}}", "deny because certificate_revoked"),
        (f"{{{PARTNER}}}", "allow by partner-reads"),
        (f"{{{PARTNER}, revoked: true}}", "deny because certificate_revoked"),
        (f"{{{PARTNER}, untrusted: true}}", "deny because certificate_untrusted"),
        (f"{{{PARTNER}, issuer: CN=Issuing CA 2}}", "allow by second-ca"),
        (f"{{{PARTNER}, issuer: CN=Issuing CA 2, revoked: true}}", "deny because certificate_revoked"),
        (f"{{{PARTNER}, issuer: CN=Issuing CA 2, untrusted: true}}", "deny because certificate_untrusted"),
    ],
)
def test_a_generated_certificate_is_judged_in_full(policy: PolicySet, wish: str, expect: str) -> None:
    found = report(policy, wish, expect)
    assert [result.decision.reason.value for result in found.failures] == []


@pytest.mark.parametrize("when", ["1999-01-01T00:00:00Z", "2026-03-04T12:00:00Z", "2099-12-31T23:59:59Z"])
def test_it_is_made_for_the_moment_of_each_request(policy: PolicySet, when: str) -> None:
    assert report(policy, f"{{{NAME}, serial: 'aB:01'}}", "allow", when).passed
    assert report(policy, f"{{{NAME}, expired: true}}", "deny because certificate_expired", when).passed


def test_real_certificates_are_judged_as_without_stand_ins(policy: PolicySet) -> None:
    maker = StandIns(policy.trust)
    read(policy, maker, f"{{{PARTNER}, revoked: true}}", "deny", "2026-03-04T12:00:00Z")
    assert maker.trust() is not policy.trust
    for issued in (
        PARTNERS.issue(dns=["gw.partner.example"]),
        PARTNERS.issue(dns=["gw.partner.example"], not_after=NOW - timedelta(minutes=1)),
        MESH.issue(uri=[BILLING]),
        MESH.issue(uri=[BILLING], client=False, server=True),
    ):
        shown = presented_from_der(issued.der)
        before, after = (trust.standing(shown, NOW.timestamp()) for trust in (policy.trust, maker.trust()))
        assert (before.reason, before.trust) == (after.reason, after.trust)


def test_nothing_stands_in_where_nothing_was_generated(policy: PolicySet) -> None:
    assert StandIns(policy.trust).trust() is policy.trust


@pytest.mark.parametrize(
    ("wish", "code", "said"),
    [
        ("{dns: a.example}", "value_invalid", "it must say which trust entry vouches for it"),
        (
            "{uri: 'spiffe://acme.intern/a'}",
            "name_unknown",
            "no trust entry of the policy has this SPIFFE trust domain",
        ),
        (f"{{trust: mash, {NAME}}}", "name_unknown", "the policy has no trust entry named `mash`"),
        (f"{{{NAME}, expired: yes}}", "value_invalid", "`yes` is neither `true` nor `false`"),
        (f"{{{NAME}, not_after: tomorrow}}", "value_invalid", "`tomorrow` is not a moment"),
        (
            f"{{{NAME}, not_after: 2026-01-01T00:00:00Z, not_before: 2026-01-01T00:00:00Z}}",
            "window_empty",
            "does not lie behind",
        ),
        (
            f"{{{NAME}, expired: true, not_after: 2026-01-01T00:00:00Z}}",
            "keys_conflict",
            "`expired` chooses the dates itself",
        ),
        (f"{{{NAME}, usage: clientAuth}}", "value_invalid", "`clientAuth` is not an extended key usage"),
        (f"{{{NAME}, serial: xyz}}", "value_invalid", "`xyz` is not a serial number"),
        (f"{{{NAME}, subject: 'C=Germany'}}", "value_invalid", "no certificate can say this"),
        (f"{{{NAME}, serial: '{'f' * 64}'}}", "value_invalid", "no certificate can say this"),
        (f"{{{NAME}, serial: '0'}}", "value_invalid", "no certificate can say this"),
        (f"{{{NAME}, not_after: 1930-01-01T00:00:00Z}}", "value_invalid", "no certificate can say this"),
        ("{uri: '*'}", "value_invalid", "a certificate with a wildcard is refused"),
        ("{ip: 10.0.0.1}", "key_unknown", "ip"),
        ("{}", "value_empty", "generate"),
    ],
)
def test_what_no_certificate_can_say_is_a_problem_with_its_place(
    policy: PolicySet, wish: str, code: str, said: str
) -> None:
    suite, problems = read(policy, StandIns(policy.trust), wish, "deny", "2026-03-04T12:00:00Z")
    assert suite is None
    (problem,) = [problem for problem in problems if problem.code == code and said in problem.message]
    assert problem.at.line == 3


def test_a_moment_that_no_certificate_can_have_is_a_problem_of_the_test(policy: PolicySet) -> None:
    suite, problems = read(policy, StandIns(policy.trust), f"{{{NAME}}}", "deny", "0001-01-01T00:00:00Z")
    assert suite is None
    assert "no certificate can be made for" in problems[0].message


@pytest.mark.parametrize("beside", [NAME, "certificate: a.pem"])
def test_nothing_stands_beside_generate(policy: PolicySet, beside: str) -> None:
    text = (
        f"version: 1\ntests:\n  - {{as: {{generate: {{{NAME}}}, {beside}}}, request: GET https://h/a, expect: deny}}\n"
    )
    _, problems = suite_from_bytes("a.test.yaml", text.encode(), policy, FILES, StandIns(policy.trust), NOW.timestamp())
    assert [problem.code for problem in problems] == ["keys_conflict"]
