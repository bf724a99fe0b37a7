"""What is recorded of a decision inside Envoy: its verdict stays, whatever a second look comes to."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from extauth.native.records import NativeDecision, native_decision_from_line
from peergate.up.second_look import SecondLook
from policies.engine.policy_set import PolicySet
from policies.reason import Effect, Reason
from runtime.judge import FixedPolicy
from runtime.metrics import Metrics
from tests.extauth.native.test_told import told_line
from tests.extauth.native.world import MESH, ROOT, TIME, policy_of

RULES = """\
rules:
  - {id: reads, allow: {uri: "spiffe://acme.internal/a"}, to: {paths: ["/v1/**"]}}
  - {id: lists, allow: authenticated, to: {paths: [/v1]}}
  - {id: later, deny: authenticated, to: {paths: [/v1/later]}, mode: shadow}
"""
POLICY = policy_of(RULES)
BEYOND = policy_of(RULES + "  - {id: acme, allow: {subject: {O: Acme}}, to: {paths: [/v1]}}\n")


def found(policy: PolicySet, decided: str, path: str, **others: Any) -> NativeDecision:
    line = {
        **told_line(),
        "id": "1",
        "time": f"{TIME + 60:.6f}",
        "decided": f"{decided}@{policy.generation}",
        "method": "GET",
        "host": "h.example",
        "path": path,
        "uri": "spiffe://acme.internal/a",
        "source": "127.0.0.1",
        **others,
    }
    return native_decision_from_line(json.dumps(line).encode(), lambda _generation, _issuer: ("mesh",))


def look(policy: PolicySet, following: PolicySet | None = None) -> tuple[SecondLook, Metrics]:
    metrics = Metrics()
    made = SecondLook(metrics, FixedPolicy(following))
    made.know(policy)
    return made, metrics


def test_every_rule_is_named_with_the_shadow() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v1"))
    assert (seen.whole, seen.decision.rules, seen.decision.shadow) == (True, ("lists", "reads"), None)
    later = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v1/later"))
    assert later.decision.shadow is not None
    assert (later.decision.effect, later.decision.shadow.rules) == (Effect.ALLOW, ("later",))


def test_the_verdict_of_envoy_stays_where_peergate_would_decide_otherwise_and_that_is_said() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:reads", "/v2"))
    assert (seen.whole, seen.decision.effect, seen.decision.rules) == (False, Effect.ALLOW, ("reads",))
    assert seen.decision.problems == ("peergate itself would decide no_matching_rule",)


def test_a_rule_that_peergate_does_not_see_match_stays_named() -> None:
    seen = look(POLICY)[0].seen(found(POLICY, "allow:lists", "/v1/a"))
    assert (seen.whole, seen.decision.rules) == (False, ("lists",))
    assert seen.decision.problems == ("peergate itself would decide allowed_by_rule",)


def test_a_decision_of_an_unknown_generation_is_recorded_as_envoy_told_it() -> None:
    made, _ = look(POLICY)
    seen = made.seen(found(BEYOND, "allow:reads", "/v1"))
    assert (seen.whole, seen.decision.rules, seen.decision.problems) == (False, ("reads",), ())


def test_a_generation_is_known_while_crls_make_others_of_its_rules() -> None:
    made, _ = look(POLICY)
    for number in range(15):
        made.know(POLICY.renewed(POLICY.trust, f"{number:016x}", bytes([number])))
    assert made.policy(POLICY.generation) is POLICY
    made.know(POLICY.renewed(POLICY.trust, "f" * 16, b"more"))
    assert made.policy(POLICY.generation) is None


def test_a_generation_that_comes_again_is_the_latest() -> None:
    made, _ = look(POLICY)
    others = [policy_of(RULES + f"  - {{id: r{number}, deny: authenticated, to: any}}\n") for number in range(4)]
    for policy in (*others[:3], POLICY, others[3]):
        made.know(policy)
    assert made.policy(POLICY.generation) is POLICY
    assert made.policy(others[0].generation) is None


def test_generations_are_forgotten_the_oldest_first() -> None:
    made, _ = look(POLICY)
    others = [policy_of(RULES.replace("/v2", f"/v{number}") + f"# {number}\n") for number in range(4)]
    for policy in others:
        made.know(policy)
    assert made.policy(POLICY.generation) is None
    assert made.policy(others[0].generation) is others[0]


def test_where_rules_ask_for_more_of_a_certificate_than_is_told_only_one_rule_is_named() -> None:
    seen = look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1", certificate=None))
    assert (seen.whole, seen.decision.rules) == (False, ("reads",))
    assert seen.decision.problems == (
        "only the rule that Envoy met first is named: Envoy does not tell the certificate",
    )
    unread = look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1", certificate="junk"))
    assert (unread.whole, unread.decision.rules) == (False, ("reads",))
    assert look(BEYOND)[0].seen(found(BEYOND, "allow:reads", "/v1")).decision.rules == ("lists", "reads")


def test_a_denial_by_no_rule_needs_no_word_of_other_rules() -> None:
    seen = look(BEYOND)[0].seen(found(BEYOND, "none:no_matching_rule", "/v2", certificate=None))
    assert (seen.whole, seen.decision.reason, seen.decision.problems) == (False, Reason.NO_MATCHING_RULE, ())


def counted(metrics: Metrics, result: str) -> float | None:
    labels = {"enforcement": "native", "result": result}
    return metrics.registry.get_sample_value("peergate_shadow_policy_decisions_total", labels)


def test_a_next_policy_that_fails_is_an_internal_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made, metrics = look(POLICY, BEYOND)

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("runtime.comparison.evaluate", fails)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a"))
    assert (seen.decision.effect, seen.decision.problems) == (Effect.ALLOW, ())
    assert seen.following is not None
    assert seen.following.reason is Reason.INTERNAL_ERROR
    assert counted(metrics, "differs") == 1


def unsigning() -> dict[str, str]:
    """A certificate that peergate refuses and Envoy does not: its key is for nothing."""
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://acme.internal/a")])
    issued = ROOT.issue(uri=["spiffe://acme.internal/a"], not_after=datetime(2100, 1, 1, tzinfo=UTC)).certificate
    bare = x509.CertificateBuilder().subject_name(issued.subject).issuer_name(issued.issuer).serial_number(7)
    bare = bare.public_key(issued.public_key()).not_valid_before(issued.not_valid_before_utc)
    bare = bare.not_valid_after(issued.not_valid_after_utc).add_extension(names, critical=True)
    for oid in (ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.EXTENDED_KEY_USAGE):
        extension = issued.extensions.get_extension_for_oid(oid)
        bare = bare.add_extension(extension.value, critical=extension.critical)
    signed = bare.sign(ROOT.issued.key, SHA256())
    told, digest = quote(signed.public_bytes(Encoding.PEM)), signed.fingerprint(SHA256()).hex()
    return {"certificate": told, "fingerprint": digest, "chain": f"{digest},{told_line()['chain'].split(',')[1]}"}


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [(unsigning(), Reason.SVID_INVALID), ({"certificate": "junk"}, Reason.CERTIFICATE_MALFORMED)],
)
def test_what_envoy_does_not_see_of_a_certificate_is_no_difference_of_the_next_policy(
    certificate: dict[str, str], reason: Reason
) -> None:
    made, metrics = look(POLICY, BEYOND)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a", **certificate))
    assert (seen.following, seen.decision.effect, seen.decision.rules) == (None, Effect.ALLOW, ("reads",))
    (problem,) = seen.decision.problems
    assert problem.startswith(f"the next policy changes nothing here: both refuse this caller ({reason}),")
    assert [counted(metrics, result) for result in ("not_evaluated", "differs", "same")] == [1, 0, 0]


def test_a_certificate_that_only_the_next_policy_refuses_is_a_difference() -> None:
    strict = policy_of(RULES, MESH.replace("acme.internal}", "acme.internal, max_lifetime: 1h}"))
    made, metrics = look(POLICY, strict)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a"))
    assert seen.following is not None
    assert (seen.following.effect, seen.decision.problems) == (Effect.DENY, ())
    assert counted(metrics, "differs") == 1


def test_what_no_line_tells_is_counted_as_not_evaluated_and_nothing_is_guessed() -> None:
    made, metrics = look(POLICY, POLICY)
    seen = made.seen(found(POLICY, "allow:reads", "/v1/a", chain=None))
    assert seen.following is None
    assert seen.decision.problems == ("the next policy was not evaluated: Envoy does not tell the certificate",)
    assert (counted(metrics, "not_evaluated"), counted(metrics, "same")) == (1, 0)
