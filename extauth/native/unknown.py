"""Rules about what Envoy never shows of any certificate: with some of them there is nothing left for it to decide."""

from policies.engine.policy_set import PolicySet
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    NameHas,
    NameIs,
    Reference,
    Selector,
)
from policies.engine.truth import FALSE, TRUE, UNKNOWN, Truth
from policies.reason import Effect


def denies_whom_envoy_does_not_know(policy: PolicySet) -> bool:
    """Whether some rule may deny every certificate everything, by a fingerprint, a key, a subject or an issuer alone.

    Then every certificate is asked about, whatever the other rules say, and a policy of 10 000 rules needs no tree.
    """
    return any(
        rule.effect is Effect.DENY
        and rule.anywhere
        and not rule.shadow
        and max((_least(policy.identities[caller].selector) for caller in rule.callers), default=FALSE) == UNKNOWN
        for rule in policy.rules
    )


def _least(selector: Selector) -> Truth:
    """What `selector` is at the least for any certificate of which Envoy shows the names and no more."""
    match selector:
        case Reference():
            return _least(selector.target)
        case DigestIn() | NameIs() | NameHas():
            return UNKNOWN
        case Authenticated() | Anyone():
            return TRUE
        case AllOf(parts):
            return min(map(_least, parts), default=FALSE)
        case AnyOf(parts):
            return max(map(_least, parts), default=FALSE)
        case _:
            return FALSE
