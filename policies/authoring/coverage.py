"""What the cases of tests reached: rules that decided, and routes on which they did."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.engine.condition import is_grpc
from policies.engine.decision import Decision
from policies.engine.errors import RequestError
from policies.engine.path import Segments
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.engine.target import canonical_target


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of some names, those that were reached."""

    names: tuple[str, ...]
    reached: frozenset[str]

    @property
    def unreached(self) -> tuple[str, ...]:
        """The others, sorted."""
        return tuple(name for name in self.names if name not in self.reached)

    @property
    def percent(self) -> float:
        """How many were reached; of none, all."""
        return 100 * (len(self.names) - len(self.unreached)) / len(self.names) if self.names else 100.0


def rule_coverage(policy: PolicySet, decided: Iterable[tuple[Request, Decision]]) -> Coverage:
    """A rule is reached if it was among those that decided, or would have been with shadow rules enforced."""
    return Coverage(policy.rule_ids, frozenset(rule for _, decision in decided for rule in _deciding(decision)))


def route_coverage(policy: PolicySet, decided: Iterable[tuple[Request, Decision]]) -> Coverage:
    """A route is reached if a rule decided about it; one that a rule writes out itself is named after the rule."""
    rules = {rule.id: rule for rule in policy.rules}
    labels = _labels(policy)
    reached: set[str] = set()
    for request, decision in decided:
        for rule_id in _deciding(decision):
            reached.update(labels[position] for position in _positions(policy, rules[rule_id], request))
    return Coverage(tuple(sorted(set(labels.values()))), frozenset(reached))


def _deciding(decision: Decision) -> Iterable[str]:
    yield from decision.rules
    if decision.shadow is not None:
        yield from decision.shadow.rules


def _labels(policy: PolicySet) -> dict[int, str]:
    """Position -> name, for every route that a rule uses. A route under `allow` and under `deny` is one."""
    labels: dict[int, str] = {}
    for rule in policy.rules:
        inline = [position for position in rule.routes if not policy.routes[position].name]
        for position in rule.routes:
            number = f" ({inline.index(position) + 1})" if position in inline and len(inline) > 1 else ""
            labels[position] = policy.routes[position].name or f"that of rule {rule.id}{number}"
    return labels


def _positions(policy: PolicySet, rule: Rule, request: Request) -> Sequence[int]:
    """The routes of a rule that the request is on."""
    try:
        host, segments = canonical_target(request.method, request.target, request.host)
    except RequestError:
        return ()
    return [
        position
        for position in rule.routes
        if any(_is_on(way, request, host, segments) for way in policy.routes[position].alternatives)
    ]


def _is_on(way: Alternative, request: Request, host: str, segments: Segments) -> bool:
    if way.host is not None and way.host.bound(host) is None:
        return False
    if way.path is not None and way.path.bound(segments) is None:
        return False
    if way.grpc and not (request.method == "POST" and is_grpc(request)):
        return False
    return (way.methods is None or request.method in way.methods) and bool(way.solutions(request, host, segments))
