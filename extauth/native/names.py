"""What a decision inside Envoy is called: the name of an RBAC action, which metadata and the access log carry.

`allow:RULE@GENERATION`, `deny:RULE@GENERATION`, `none:REASON@GENERATION`, or `ask:WHY`. Rule ids have neither colon nor
at sign, so the parts cannot be mistaken for each other; and a decision names the generation that made it (law 5).
"""

from dataclasses import dataclass
from typing import NamedTuple

from extauth.native.matcher import action
from policies.reason import Effect, Reason
from runtime.envoy.proto_json import Json

ALLOW, DENY, NONE, ASK = "allow:", "deny:", "none:", "ask:"
#: Denied because no rule matches; without a certificate, because there is none.
NO_RULE, NO_CERTIFICATE = (NONE + reason.value for reason in (Reason.NO_MATCHING_RULE, Reason.NO_CERTIFICATE))


@dataclass(frozen=True, slots=True)
class Names:
    """The actions of one generation."""

    generation: str

    def allowed_by(self, rule_id: str) -> Json:
        """The rule allows; nobody is asked."""
        return self._action(ALLOW + rule_id, permits=True)

    def denied_by(self, rule_id: str) -> Json:
        """The rule denies."""
        return self._action(DENY + rule_id, permits=False)

    def denied_by_default(self) -> Json:
        """Deny by default (law 1)."""
        return self._action(NO_RULE, permits=False)

    def denied_without_certificate(self) -> Json:
        """As `denied_by_default`, for a caller without a certificate."""
        return self._action(NO_CERTIFICATE, permits=False)

    def _action(self, name: str, *, permits: bool) -> Json:
        return action(f"{name}@{self.generation}", permits=permits)


def asked(why: str) -> Json:
    """Peergate decides. What Envoy cannot say is in `why`."""
    return action(ASK + why, permits=True)


class NativeVerdict(NamedTuple):
    """What a name says. `rule` is None where none matches."""

    effect: Effect
    reason: Reason
    rule: str | None
    generation: str


def verdict_from_name(name: str) -> NativeVerdict | None:
    """The verdict that an action's name tells; None if peergate was asked. Raises ValueError for any other text."""
    kind, colon, rest = name.partition(":")
    what, at, generation = rest.partition("@")
    if kind == "ask" and colon:
        return None
    if not (colon and at):
        raise ValueError(f"{name!r} names no decision")
    if kind == "none":
        return NativeVerdict(Effect.DENY, Reason(what), None, generation)
    effect = Effect(kind)
    reason = Reason.ALLOWED_BY_RULE if effect is Effect.ALLOW else Reason.DENIED_BY_RULE
    return NativeVerdict(effect, reason, what, generation)
