"""What a change of CAs and CRLs may do is said on the safe side."""

import pytest

from pki.authority import Authority
from policies.authoring.diff.comparison import Comparison
from policies.authoring.diff.findings import Difference, difference
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from tests.authoring.policies import MESH, NOW, PARTNERS, Memory

ENTRY = "a: {anchors: [a.pem], crls: [a.crl], revocation: require}"
ROOT = Authority.root("root a", now=NOW)
ONE_REVOKED = ROOT.crl([7])
BOTH_REVOKED = ROOT.crl([7, 8])


def policy(trust: str, crl: bytes = ONE_REVOKED) -> PolicySet:
    text = (
        f"version: 1\ntrust: {{b: {{anchors: [b.pem]}}, {trust}}}\nrules: [{{id: r, allow: {{trust: b}}, to: any}}]\n"
    )
    files = {"a.pem": ROOT.pem, "b.pem": MESH.pem, "c.pem": PARTNERS.pem, "a.crl": crl}
    found = load_policy({"policy.yaml": text.encode()}, Memory(files))
    assert found.policy is not None, found.problems
    return found.policy


def found(old: PolicySet, new: PolicySet) -> Difference:
    return difference(Comparison(old, new, NOW.timestamp()))


def test_a_certificate_that_is_no_longer_revoked_may_widen() -> None:
    back = found(policy(ENTRY, BOTH_REVOKED), policy(ENTRY))
    (change,) = back.trust
    assert (change.text, change.widens, change.narrows) == (
        "CRL of CN=root a: no longer lists 1, newly lists 0",
        True,
        False,
    )


def test_a_certificate_more_that_is_revoked_only_narrows() -> None:
    (change,) = found(policy(ENTRY), policy(ENTRY, BOTH_REVOKED)).trust
    assert (change.widens, change.narrows) == (False, True)


@pytest.mark.parametrize(
    "after",
    [
        "a: {anchors: [a.pem], revocation: off}",
        ENTRY.replace("require", "if-available"),
        ENTRY.replace("[a.pem]", "[a.pem, c.pem]"),
        ENTRY.replace("revocation", "min_rsa_bits: 2048, clock_skew: 1m, revocation"),
    ],
)
def test_what_asks_less_of_certificates_may_widen(after: str) -> None:
    assert found(policy(ENTRY), policy(after)).may_widen


def test_an_entry_that_revokes_for_all_is_missed() -> None:
    """No rule names it, but what its CRL lists is refused under every entry."""
    gone = found(policy(ENTRY), policy("c: {anchors: [c.pem]}"))
    assert (gone.findings, gone.may_widen) == ((), True)
    assert found(policy("c: {anchors: [c.pem]}"), policy(ENTRY)).may_narrow


def test_a_responder_more_or_less_is_told() -> None:
    asked = "a: {anchors: [a.pem], ocsp: {url: 'http://ocsp.example/'}}"
    without = "a: {anchors: [a.pem]}"
    assert found(policy(asked), policy(without)).may_widen
    assert not found(policy(asked), policy(asked)).trust


def test_a_renamed_entry_is_no_difference_and_a_removed_one_that_nobody_needs_is_none() -> None:
    assert found(policy("c: {anchors: [c.pem]}"), policy("d: {anchors: [c.pem]}")).is_empty
    assert found(policy("c: {anchors: [c.pem]}"), policy("d: {anchors: [a.pem]}")).is_empty
