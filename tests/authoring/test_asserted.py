"""Skipping certificate checks lets nobody in: somebody the policy knows must vouch for an asserted caller."""

import pytest

from policies.authoring.claim import Claim, asserted_from_claim
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import UNREPORTED, Request
from policies.peer.presented import Presented
from policies.reason import Reason
from tests.authoring.policies import POLICY, policy_from_text

ANY_CERTIFICATE = f"{POLICY}  - {{id: certificates, allow: authenticated, to: {{paths: [/open]}}}}\n"


@pytest.fixture(scope="module")
def policy() -> PolicySet:
    return policy_from_text(ANY_CERTIFICATE)


def asked(peer: Presented) -> Request:
    return Request(peer, "GET", "/open", "h", {}, None, None, UNREPORTED, 0)


@pytest.mark.parametrize(
    "claim",
    [
        Claim(uri=("spiffe://evil.internal/a",)),
        Claim(dns=("a.example",), trust=()),
        Claim(dns=("a.example",), trust=("gone",)),
    ],
)
def test_a_caller_that_no_entry_vouches_for_is_untrusted(policy: PolicySet, claim: Claim) -> None:
    decision = evaluate(policy, asked(asserted_from_claim(claim, policy.trust)))
    assert (decision.allowed, decision.reason) == (False, Reason.CERTIFICATE_UNTRUSTED)
    assert decision.generation == policy.generation


@pytest.mark.parametrize("claim", [Claim(uri=("spiffe://acme.internal/a",)), Claim(trust=("mesh", "gone"))])
def test_a_caller_that_some_entry_vouches_for_is_judged_by_the_rules(policy: PolicySet, claim: Claim) -> None:
    assert evaluate(policy, asked(asserted_from_claim(claim, policy.trust))).rules == ("certificates",)
