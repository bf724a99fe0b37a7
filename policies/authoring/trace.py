"""Why each rule that is about the caller or about the route did not match, and which one was nearest.

Law kept here: as `explain`, it decides nothing. A request that is refused before any rule is read has no trace.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from policies.authoring.limits import MAX_TRACED_RULES
from policies.authoring.selector_words import in_words
from policies.engine.caller import CallerState
from policies.engine.condition import Origin, is_grpc
from policies.engine.decision import Decision
from policies.engine.path import Segments
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.route import Alternative
from policies.engine.rule import Identity, Rule
from policies.engine.selector import Authenticated, Selector, Unauthenticated
from policies.engine.target import canonical_target
from policies.engine.truth import FALSE, SATISFIED, TRUE, UNKNOWN, Solutions, joined, truth_of
from policies.language.wording import enumerated, listed, quoted
from policies.reason import Effect, Reason

_NO_RULE = frozenset({Reason.NO_MATCHING_RULE, Reason.NO_CERTIFICATE})
#: With any other reason the request was refused before.
_RULES_WERE_READ = _NO_RULE | {Reason.ALLOWED_BY_RULE, Reason.DENIED_BY_RULE}


_CALLER = "caller"
#: What the language's own names for callers mean.
_BUILT_IN: Mapping[Selector, str] = MappingProxyType(
    {
        Unauthenticated(): "`unauthenticated` (one without a certificate)",
        Authenticated(): "`authenticated` (one with a certificate that a trust entry vouches for)",
    }
)


@dataclass(frozen=True, slots=True)
class Missing:
    """A condition that does not hold: what it looks at, and what it asks for. `known`: whether that is known at all."""

    what: str
    wanted: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class TracedRule:
    """A rule about the caller or the route that did not match; `missing`: its conditions that failed, in order."""

    id: str
    effect: str
    shadow: bool
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What the rules that did not match lack.

    - `rules`: fewest failed conditions first, of these the ones that lack the caller last, and the ones to which
      something is only unknown first; at most MAX_TRACED_RULES.
    - `left_out`: how many more there are.
    - `nearest`: where no rule matched, the enforced allow rule of which a single condition failed; else None.
    """

    rules: tuple[TracedRule, ...] = ()
    left_out: int = 0
    nearest: TracedRule | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request with what is known of it."""

    policy: PolicySet
    request: Request
    caller: CallerState
    host: str
    segments: Segments


def trace_from_decision(policy: PolicySet, request: Request, decision: Decision) -> Trace:
    """The rules about the caller or the route of `request` that did not match it, after `policy` decided on it."""
    if decision.reason not in _RULES_WERE_READ:
        return Trace()
    host, segments = canonical_target(request.method, request.target, request.host)
    asked = _Asked(policy, request, policy.caller(request.peer, request.time), host, segments)
    found = [traced for position, rule in enumerate(policy.rules) for traced in _traced(asked, position, rule)]
    found.sort(key=_distance)
    allows = (rule for rule in found if rule.effect == Effect.ALLOW and not rule.shadow and len(rule.missing) == 1)
    nearest = next(allows, None) if decision.reason in _NO_RULE else None
    return Trace(tuple(found[:MAX_TRACED_RULES]), max(len(found) - MAX_TRACED_RULES, 0), nearest)


def _distance(rule: TracedRule) -> tuple[int, bool, bool, str]:
    missing = rule.missing
    return len(missing), missing[0].what == _CALLER, all(item.known for item in missing), rule.id


def _traced(asked: _Asked, position: int, rule: Rule) -> Iterable[TracedRule]:
    """The rule, if it is about the caller or the route and something is missing."""
    mask = asked.caller.allow if rule.effect is Effect.ALLOW else asked.caller.deny
    by_caller = bool(mask & asked.policy.bit(position))
    of_route, ways = _route(asked, rule)
    if not by_caller and of_route:
        return
    missing = [*(() if by_caller else (_wanted_caller(asked.policy, rule),)), *of_route, *_circumstances(asked, rule)]
    if rule.joins and rule.caller_binds and rule.route_binds and not _agree(asked, rule, ways):
        missing.append(Missing("bound name", "equal on both sides"))
    if missing:
        yield TracedRule(rule.id, rule.effect.value, rule.shadow, tuple(missing))


def _wanted_caller(policy: PolicySet, rule: Rule) -> Missing:
    words = [_caller_words(policy.identities[caller]) for caller in rule.callers]
    return Missing(_CALLER, enumerated(dict.fromkeys(words), "or") if all(words) else "one that the rule names")


def _caller_words(identity: Identity) -> str:
    """Empty for a selector without a name."""
    return quoted(identity.name) if identity.name else _BUILT_IN.get(identity.selector, "")


def _route(asked: _Asked, rule: Rule) -> tuple[Sequence[Missing], Solutions]:
    """What is missing on the nearest alternative of the rule's routes, and how those that match do so."""
    if rule.anywhere:
        return (), SATISFIED
    ways = [way for position in rule.routes for way in asked.policy.routes[position].alternatives]
    lacking = [(tuple(_alternative(asked, way)), way) for way in ways]
    solutions = tuple(
        found
        for missing, way in lacking
        if not missing
        for found in way.solutions(asked.request, asked.host, asked.segments)
    )
    return min((missing for missing, _ in lacking), key=len), solutions


def _agree(asked: _Asked, rule: Rule, ways: Solutions) -> bool:
    """Whether what caller and route bind is known, and the same. Where one side does not match, it is not."""
    return truth_of(joined(asked.caller.solutions_of(rule.callers), ways)) != FALSE


def _alternative(asked: _Asked, way: Alternative) -> Iterable[Missing]:
    if way.host is not None and way.host.bound(asked.host) is None:
        yield Missing("host", _or([str(way.host)]))
    if way.path is not None and way.path.bound(asked.segments) is None:
        yield Missing("path", _or([f"/{way.path}"]))
    if way.grpc and asked.request.method != "POST":
        yield Missing("method", _or(["POST"]))
    if way.grpc and not is_grpc(asked.request):
        yield Missing("content type", _or(["application/grpc"]))
    if way.methods is not None and asked.request.method not in way.methods:
        yield Missing("method", _or(sorted(way.methods)))
    for header in way.headers:
        if (truth := header.truth(asked.request)) != TRUE:
            yield Missing(f"header {header.name}", _or(sorted(header.values)), known=truth != UNKNOWN)


def _circumstances(asked: _Asked, rule: Rule) -> Iterable[Missing]:
    """For a deny, what is unknown counts as holding."""
    least = TRUE if rule.effect is Effect.ALLOW else UNKNOWN
    if rule.origin is not None and (truth := rule.origin.truth(asked.request)) < least:
        yield Missing("source address", " and ".join(_places(rule.origin)), known=truth != UNKNOWN)
    if rule.when is not None and (truth := rule.when.truth(asked.request)) < least:
        yield Missing("time or server name", "as `when` asks", known=truth != UNKNOWN)


def _places(origin: Origin) -> Iterator[str]:
    for word, networks in (("in", origin.inside), ("outside", origin.outside)):
        if networks is not None:
            yield f"{word} {in_words(' or ', map(str, networks.cidrs))}"


def _or(words: Sequence[str]) -> str:
    return listed(list(dict.fromkeys(words)), "or")
