"""A second, slow way to decide: every rule on its own, no index, no mask, no cache. `evaluate` must agree with it."""

from dataclasses import dataclass

from policies.engine.condition import is_grpc
from policies.engine.path import Segments
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.engine.selector import Caller
from policies.engine.target import canonical_target
from policies.engine.truth import FALSE, SATISFIED, TRUE, UNSATISFIED, Solutions, Truth, joined, truth_of
from policies.peer.presented import AssertedIdentity
from policies.reason import Effect


@dataclass(frozen=True)
class Oracle:
    """One request that can be judged, without shadow rules and set_headers."""

    policy: PolicySet
    request: Request

    def verdict(self) -> tuple[Effect, tuple[str, ...]]:
        """Effect and ids of the deciding rules."""
        denying = self._matching(Effect.DENY)
        if denying:
            return Effect.DENY, denying
        allowing = self._matching(Effect.ALLOW)
        return (Effect.ALLOW, allowing) if allowing else (Effect.DENY, ())

    def _matching(self, effect: Effect) -> tuple[str, ...]:
        least = TRUE if effect is Effect.ALLOW else TRUE - 1
        rules = [rule for rule in self.policy.rules if rule.effect is effect and not rule.shadow]
        return tuple(sorted(rule.id for rule in rules if self._truth(rule) >= least))

    def _truth(self, rule: Rule) -> Truth:
        peer = self.request.peer
        known = isinstance(peer, AssertedIdentity)
        caller = Caller(peer.facts, peer.trust) if isinstance(peer, AssertedIdentity) else Caller(None, frozenset())
        callers: Solutions = ()
        for position in rule.callers:
            selector = self.policy.identities[position].selector
            if known or rule.effect is Effect.DENY or selector.admits_unauthenticated():
                callers += selector.solutions(caller)
        host, segments = canonical_target(self.request.method, self.request.target, self.request.host)
        routes: Solutions = SATISFIED if rule.anywhere else ()
        for position in rule.routes:
            for way in self.policy.routes[position].alternatives:
                routes += self._on(way, host, segments)
        return min(truth_of(joined(callers, routes)), rule.circumstances(self.request))

    def _on(self, way: Alternative, host: str, segments: Segments) -> Solutions:
        if way.grpc and not (self.request.method == "POST" and is_grpc(self.request)):
            return UNSATISFIED
        if way.methods is not None and self.request.method not in way.methods:
            return UNSATISFIED
        of_host = way.host.bound(host) if way.host is not None else {}
        of_path = way.path.bound(segments) if way.path is not None else {}
        if of_host is None or of_path is None:
            return UNSATISFIED
        truth = min([header.truth(self.request) for header in way.headers], default=TRUE)
        return joined(((truth, of_host),), ((truth, of_path),)) if truth != FALSE else UNSATISFIED
