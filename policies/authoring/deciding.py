"""The decision on a request whose caller may be asserted. Tests, explanations and replay all decide here.

Law kept here: skipping certificate checks lets nobody in. A caller counts as having passed the trust entries that it is
asserted with; if the policy has none of them, nobody vouches for it, as for the certificate of an unknown CA.
"""

from types import MappingProxyType

from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.peer.presented import AssertedIdentity
from policies.reason import Effect, Reason


def decision_on(policy: PolicySet, request: Request) -> Decision:
    """What `policy` decides on `request`: `evaluate`, after a look at who vouches for an asserted caller."""
    if isinstance(request.peer, AssertedIdentity):
        entries = (entry.name for entry in policy.trust.entries)
        if request.peer.trust.isdisjoint(entries):
            return refusal(policy, Reason.CERTIFICATE_UNTRUSTED, "no trust entry of this policy vouches for the caller")
    return evaluate(policy, request)


def refusal(policy: PolicySet, reason: Reason, problem: str) -> Decision:
    """A denial before any rule was read."""
    return Decision(
        effect=Effect.DENY,
        reason=reason,
        rules=(),
        identities=(),
        trust=(),
        captures=MappingProxyType({}),
        headers=(),
        unknown=(),
        problems=(problem,),
        shadow=None,
        generation=policy.generation,
    )
