"""The one decision function. Every enforcement point asks it, and nothing else decides.

Laws kept here: deny by default, a deny beats any allow (1); an allow matches on true only, a deny on true or unknown
(2); one generation makes one decision (5). It never raises for any `Request`.
"""

from collections.abc import Mapping

from policies.engine.caller import CallerState
from policies.engine.condition import is_grpc
from policies.engine.decision import NO_CAPTURES, Decision
from policies.engine.errors import HostInvalid, RequestError
from policies.engine.host import canonical_host
from policies.engine.path import Segments
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.engine.target import canonical_target
from policies.engine.template import identity_values
from policies.engine.truth import FALSE, SATISFIED, TRUE, UNKNOWN, Bindings, Solutions, Truth, joined, truth_of
from policies.peer.presented import PresentedCertificate
from policies.reason import Effect, Reason

# Members of an enumeration cost a descriptor call each time on Python 3.11.
_ALLOW, _DENY = Effect.ALLOW, Effect.DENY
_ALLOWED_BY_RULE, _DENIED_BY_RULE = Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE
_NO_CERTIFICATE, _NO_MATCHING_RULE = Reason.NO_CERTIFICATE, Reason.NO_MATCHING_RULE


def evaluate(policy: PolicySet, request: Request) -> Decision:
    """The decision on `request` under `policy`."""
    peer, method, received, host, _, _, _, _, time = request
    known_caller = policy.caller_states.get(peer.key) if type(peer) is PresentedCertificate else None
    # What `PolicySet.caller` finds first, without the call.
    if known_caller is not None and known_caller.valid_from <= time <= known_caller.valid_until:
        caller = known_caller
    else:
        caller = policy.caller(peer, time)
    if caller.reason is not None:
        return _refusal(policy, caller, caller.reason, caller.problem)
    target = (method, received.partition("?")[0], host)
    known = caller.targets.get(target)
    return _looked_up(policy, request, caller, target) if known is None else known


def _looked_up(policy: PolicySet, request: Request, caller: CallerState, asked: tuple[str, str, str]) -> Decision:
    """The decision on a request of a caller that may be heard. `asked`: as in `CallerState.targets`."""
    try:
        host, segments = canonical_target(request.method, request.target, request.host)
    except RequestError as error:
        return _refusal(policy, caller, error.reason, str(error))
    if policy.strict_sni and not _sni_names(request, host):
        return _refusal(policy, caller, Reason.SNI_MISMATCH, f"the TLS server name is not the host {host!r}")
    index = policy.route_index
    grpc = index.has_grpc and request.method == "POST" and is_grpc(request)
    routed, special = index.lookup(host, request.method, segments, grpc=grpc)
    candidates = routed & caller.spoken_of
    # Most requests meet only rules that caller and route settle; what is below would decide the same, more slowly.
    known = None if special else caller.verdicts.get(candidates)
    if known is not None:
        if policy.judges_by_target:
            caller.remember_target(asked, known)
        return known
    settled = candidates & policy.settled
    if settled and settled == candidates and not caller.unsure:
        deciding = settled & caller.deny or settled
        if special and deciding & policy.binding:
            return _Case(policy, request, caller, host, segments, special, routed).settled(deciding)
        decision = _verdict(policy, caller, deciding)
        if not special:
            caller.remember_verdict(candidates, decision)
        return decision
    return _with_shadow(policy, _Case(policy, request, caller, host, segments, special, routed), candidates)


def _verdict(policy: PolicySet, caller: CallerState, deciding: int) -> Decision:
    """The verdict of rules that match and bind nothing: the same for every request of the caller that meets them."""
    denied = bool(deciding & caller.deny)
    return Decision(
        _DENY if denied else _ALLOW,
        _DENIED_BY_RULE if denied else _ALLOWED_BY_RULE,
        policy.ids_in(deciding),
        caller.names,
        caller.trust,
        NO_CAPTURES,
        (),
        (),
        (),
        None,
        policy.generation,
    )


class _Case:
    """One request on its way to a decision. `routed`: the rules whose routes it is on, by host, method and path."""

    __slots__ = ("caller", "host", "policy", "request", "routed", "segments", "special")

    def __init__(
        self,
        policy: PolicySet,
        request: Request,
        caller: CallerState,
        host: str,
        segments: Segments,
        special: list[Alternative],
        routed: int,
    ) -> None:
        self.policy = policy
        self.request = request
        self.caller = caller
        self.host = host
        self.segments = segments
        self.special = special
        self.routed = routed

    def decision(self, candidates: int) -> Decision:
        """The verdict of the rules in `candidates`, none of which is known to be false of caller or route."""
        caller, intricate = self.caller, self.policy.intricate
        unknown: list[str] = []
        denying = candidates & caller.deny
        if denying & intricate or denying & caller.unsure:
            denying = self._matching(denying, UNKNOWN, unknown)
        if denying:
            return self._decided(_DENY, _DENIED_BY_RULE, denying, unknown)
        allowing = candidates & caller.allow
        if allowing & intricate:
            allowing = self._matching(allowing, TRUE, unknown)
        if allowing & self.policy.setting:
            return self._allowed_with_headers(allowing)
        if allowing:
            return self._decided(_ALLOW, _ALLOWED_BY_RULE, allowing, [])
        self._note_missed(unknown)
        return self._decided(_DENY, _NO_CERTIFICATE if caller.facts is None else _NO_MATCHING_RULE, 0, unknown)

    def _matching(self, mask: int, least: Truth, unknown: list[str]) -> int:
        """The rules of `mask` that are at least as true as `least`; what was unknown is noted."""
        matching = 0
        for position in self.policy.positions_in(mask):
            rule = self.policy.rules[position]
            truth = self._truth(rule)
            if truth == UNKNOWN:
                unknown.append(f"{rule.id}: {self._what_is_unknown(rule)}")
            if truth >= least:
                matching |= self.policy.bit(position)
        return matching

    def _truth(self, rule: Rule) -> Truth:
        truth = rule.circumstances(self.request)
        if truth == FALSE:
            return FALSE
        of_pair = self._pairs(rule) if rule.joins else self.caller.solutions_of(rule.callers)
        return min(truth, truth_of(of_pair))

    def _pairs(self, rule: Rule) -> Solutions:
        """Every way in which caller and route satisfy `rule` together."""
        routes = SATISFIED if rule.anywhere else self._routes(rule)
        return joined(self.caller.solutions_of(rule.callers), routes)

    def _routes(self, rule: Rule) -> Solutions:
        """Every way in which the request is on a route of `rule`, among those that the index has not settled."""
        found: list[tuple[Truth, Bindings]] = []
        for alternative in self.special:
            if alternative.route in rule.routes:
                found += alternative.solutions(self.request, self.host, self.segments)
        return tuple(found)

    def _captures(self, rule: Rule) -> Bindings:
        """What the rule binds; of several ways to satisfy it, the first in the order of their values."""
        if rule.joins:
            return _first(self._pairs(rule))
        ways = [way.bound(self.host, self.segments) or {} for way in self.special if way.route in rule.routes]
        of_route = ways[0] if len(ways) == 1 else _least(ways)
        return {**_first(self.caller.solutions_of(rule.callers)), **of_route} if rule.caller_binds else of_route

    def _allowed_with_headers(self, mask: int) -> Decision:
        """The allow, with what its rules tell the upstream; a refusal if they contradict each other."""
        told: dict[str, tuple[str, str]] = {}
        of_caller = identity_values(self.caller.facts, self.caller.names)
        for rule in self.policy.rules_in(mask & self.policy.setting):
            captured = {name: (value,) for name, value in self._captures(rule).items()} if rule.binds else {}
            for name, template in rule.set_headers:
                value = template.filled(of_caller | captured)
                if value is None:
                    continue
                first, by = told.setdefault(name, (value, rule.id))
                if first != value:
                    problem = f"rules {by} and {rule.id} set {name} to different values"
                    return self._decided(_DENY, _DENIED_BY_RULE, mask, [], problems=(problem,))
        headers = tuple(sorted((name, value) for name, (value, _) in told.items()))
        return self._decided(_ALLOW, _ALLOWED_BY_RULE, mask, [], headers=headers)

    def settled(self, deciding: int) -> Decision:
        """The verdict of rules that match and decide, with what they bind."""
        if deciding & self.caller.deny:
            return self._decided(_DENY, _DENIED_BY_RULE, deciding, [])
        return self._decided(_ALLOW, _ALLOWED_BY_RULE, deciding, [])

    def _decided(
        self,
        effect: Effect,
        reason: Reason,
        mask: int,
        unknown: list[str],
        headers: tuple[tuple[str, str], ...] = (),
        problems: tuple[str, ...] = (),
    ) -> Decision:
        policy, caller = self.policy, self.caller
        return Decision(
            effect,
            reason,
            policy.ids_in(mask),
            caller.names,
            caller.trust,
            self.captures(mask) if mask & policy.binding else NO_CAPTURES,
            headers,
            tuple(unknown),
            problems,
            None,
            policy.generation,
        )

    def captures(self, mask: int) -> Mapping[str, str]:
        """What the rules of `mask`, which match, bind; of two values of one name, that of the first id."""
        first, *others = self.policy.rules_in(mask & self.policy.binding)
        captures = self._captures(first)
        for rule in others:
            captures = {**self._captures(rule), **captures}
        return captures

    def _note_missed(self, unknown: list[str]) -> None:
        missed = self.routed & self.caller.missed & self.policy.enforced
        unknown.extend(f"{rule.id}: {self._what_is_unknown(rule)}" for rule in self.policy.rules_in(missed))

    def _what_is_unknown(self, rule: Rule) -> str:
        if truth_of(self.caller.solutions_of(rule.callers)) != TRUE:
            return "identity"
        if rule.origin is not None and rule.origin.truth(self.request) == UNKNOWN:
            return "source address"
        if rule.when is not None and rule.when.truth(self.request) == UNKNOWN:
            return "when"
        return "headers"


def _first(solutions: Solutions) -> Bindings:
    if len(solutions) == 1:
        return solutions[0][1]
    return _least([bindings for truth, bindings in solutions if truth == TRUE])


def _least(ways: list[Bindings]) -> Bindings:
    return min(ways, key=lambda bindings: sorted(bindings.items()), default={})


def _sni_names(request: Request, host: str) -> bool:
    if not isinstance(request.sni, str):
        return False
    try:
        return canonical_host(request.sni) == host
    except HostInvalid:
        return False


def _refusal(policy: PolicySet, caller: CallerState, reason: Reason, problem: str) -> Decision:
    return Decision.refusal(reason, policy.generation, problem, caller.names, caller.trust)


def _with_shadow(policy: PolicySet, case: "_Case", candidates: int) -> Decision:
    """The decision of the enforced rules among `candidates`, with what all of them would decide if that differs."""
    enforced = candidates & policy.enforced
    decision = case.decision(enforced)
    if candidates == enforced:
        return decision
    shadow = case.decision(candidates)
    if shadow.effect is decision.effect and shadow.rules == decision.rules:
        return decision
    return Decision(
        decision.effect,
        decision.reason,
        decision.rules,
        decision.identities,
        decision.trust,
        decision.captures,
        decision.headers,
        decision.unknown,
        decision.problems,
        shadow,
        decision.generation,
    )
