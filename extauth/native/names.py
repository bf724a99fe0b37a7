"""What a decision inside Envoy is called: the name of an RBAC action, which metadata and the access log carry.

Rule ids have no colon, so the kinds cannot be mistaken for each other.
"""

from extauth.native.matcher import action
from runtime.envoy.proto_json import Json

ALLOW, DENY, ASK = "allow:", "deny:", "ask:"
#: Denied because no rule matches.
NO_RULE = "none:no_matching_rule"


def allowed_by(rule_id: str) -> Json:
    """The rule allows; nobody is asked."""
    return action(ALLOW + rule_id, permits=True)


def denied_by(rule_id: str) -> Json:
    """The rule denies."""
    return action(DENY + rule_id, permits=False)


def asked(why: str) -> Json:
    """Peergate decides. What Envoy cannot say is in `why`."""
    return action(ASK + why, permits=True)


def denied_by_default() -> Json:
    """Deny by default (law 1)."""
    return action(NO_RULE, permits=False)
