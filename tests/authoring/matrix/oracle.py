"""Which cells a request is in, and whether the conditions that a cell shows hold: asked of selectors and routes one by
one, without anything that the matrix concluded about them."""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.authoring.matrix.axes import columns_of, rows_of
from policies.authoring.matrix.cell import Cell, Kind, Use
from policies.authoring.matrix.matrix import Matrix
from policies.engine.condition import is_grpc
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.engine.selector import AnyOf, Caller, Selector
from policies.engine.target import canonical_target
from policies.engine.truth import FALSE, TRUE, Solutions, Truth, joined, truth_of
from policies.peer.presented import AssertedIdentity
from policies.reason import Effect


@dataclass(frozen=True)
class Situation:
    """One request that is not refused before rules are read."""

    policy: PolicySet
    matrix: Matrix
    request: Request

    @property
    def caller(self) -> Caller:
        peer = self.request.peer
        return Caller(peer.facts, peer.trust) if isinstance(peer, AssertedIdentity) else Caller(None, frozenset())

    def cells(self) -> Iterator[tuple[int, int, Cell]]:
        """Every cell whose row the caller is of and whose column the request is on."""
        columns = [column for column, ways in enumerate(columns_of(self.policy)[1]) if self._is_on(ways)]
        for row, selector in enumerate(rows_of(self.policy)[1]):
            if truth_of(selector.solutions(self.caller)) == TRUE:
                for column in columns:
                    yield row, column, self.matrix.cell(row, column)

    def is_caller_of(self, rule: Rule) -> Truth:
        """The truth of the rule's callers, certificate or none aside."""
        return max(truth_of(self._selector(at).solutions(self.caller)) for at in rule.callers)

    def shown_truth(self, use: Use) -> Truth:
        """Whether what a use shows holds; what it does not show is not looked at."""
        rule = next(rule for rule in self.policy.rules if rule.id == use.rule)
        return min((self._condition_truth(rule, condition.kind) for condition in use.conditions), default=TRUE)

    def _condition_truth(self, rule: Rule, kind: Kind) -> Truth:
        match kind:
            case Kind.CALLER:
                return self._caller_truth(rule)
            case Kind.REQUEST | Kind.HEADER:
                return truth_of(self._on(rule))
            case Kind.SOURCE:
                return rule.origin.truth(self.request) if rule.origin is not None else TRUE
            case Kind.TIME | Kind.SNI:
                return rule.when.truth(self.request) if rule.when is not None else TRUE
            case Kind.BOUND:
                solutions = AnyOf(tuple(self._selector(at) for at in rule.callers)).solutions(self.caller)
                return truth_of(joined(solutions, self._on(rule)))
        raise AssertionError(kind)

    def _caller_truth(self, rule: Rule) -> Truth:
        admitting = [
            self._selector(at)
            for at in rule.callers
            if rule.effect is Effect.DENY
            or self.caller.facts is not None
            or self._selector(at).admits_unauthenticated()
        ]
        return max((truth_of(selector.solutions(self.caller)) for selector in admitting), default=FALSE)

    def _selector(self, position: int) -> Selector:
        return self.policy.identities[position].selector

    def _is_on(self, ways: tuple[Alternative, ...]) -> bool:
        if ways:
            return any(truth_of(self._way(way)) == TRUE for way in ways)
        return not any(truth_of(self._way(way)) for route in self.policy.routes for way in route.alternatives)

    def _on(self, rule: Rule) -> Solutions:
        ways = [way for position in rule.routes for way in self.policy.routes[position].alternatives]
        return tuple(solution for way in ways for solution in self._way(way))

    def _way(self, way: Alternative) -> Solutions:
        host, segments = canonical_target(self.request.method, self.request.target, self.request.host)
        if way.grpc and not (self.request.method == "POST" and is_grpc(self.request)):
            return ()
        if way.methods is not None and self.request.method not in way.methods:
            return ()
        if way.host is not None and way.host.bound(host) is None:
            return ()
        if way.path is not None and way.path.bound(segments) is None:
            return ()
        return way.solutions(self.request, host, segments)
