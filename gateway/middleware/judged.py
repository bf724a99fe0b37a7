"""What an application finds in `scope["peergate"]`: who calls, and what was decided."""

from typing import NamedTuple

from gateway.middleware.presented import Scope
from policies.engine.decision import Decision
from policies.peer.presented import Presented, PresentedCertificate
from runtime.hops import IpAddress
from runtime.judge import Judgement

#: The key in an ASGI scope.
PEERGATE = "peergate"


class Judged(NamedTuple):
    """`presented` is what the client showed, unverified. `judgement` is None where only PeerMiddleware ran.

    `source_ip`: the address of the client as it was judged; None if it is not known.
    """

    presented: Presented
    judgement: Judgement | None = None
    source_ip: IpAddress | None = None

    @property
    def source(self) -> str | None:
        """The same as a text."""
        return None if self.source_ip is None else str(self.source_ip)

    @property
    def decision(self) -> Decision | None:
        """What was decided: effect, reason, rules, identities, captures."""
        return None if self.judgement is None else self.judgement.decision

    @property
    def identities(self) -> tuple[str, ...]:
        """The names, sorted, of the policy's identities that the caller is; empty if nothing was judged."""
        return () if self.judgement is None else self.judgement.decision.identities

    @property
    def spiffe_id(self) -> str | None:
        """The SPIFFE ID of the caller; None if its certificate passed no trust entry, or has none."""
        presented = self.presented
        if self.judgement is None or not self.judgement.decision.trust:
            return None
        if not isinstance(presented, PresentedCertificate):
            return None
        return next((uri for uri in presented.leaf.identity.uri or () if uri.startswith("spiffe://")), None)

    @property
    def decision_id(self) -> str | None:
        """The id of the record in the decision log."""
        return None if self.judgement is None else self.judgement.decision_id


def judged_from_scope(scope: Scope) -> Judged:
    """What the middleware put there. Raises LookupError if none ran: without it, nothing is known of the caller."""
    judged = scope.get(PEERGATE)
    if isinstance(judged, Judged):
        return judged
    raise LookupError('scope["peergate"] is not there: wrap the application in AuthorizationMiddleware')
