"""Allow rules that grant more than their author may have thought of."""

from collections.abc import Iterable

from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern, Wild
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.engine.selector import Authenticated
from policies.language.problem import Position
from policies.reason import Effect

#: Methods that change nothing (RFC 9110 §9.2.1).
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


def breadth_findings(policy: PolicySet, places: Places) -> Iterable[Finding]:
    """What is wide about each allow rule, shadow rules too: they are about to be enforced."""
    shared = _shared_hosts(policy)
    for rule in policy.rules:
        if rule.effect is not Effect.ALLOW:
            continue
        at = places.rule(rule.id)
        if rule.anywhere:
            message = f"`{rule.id}` allows every method of every path on every host"
            yield Finding(at, LintCode.TO_ANY, message, "name the routes that are meant")
        elif _is_for_everybody(policy, rule) and any(map(_may_write, _ways(policy, rule))):
            message = f"`{rule.id}` lets every caller with a certificate change something"
            yield Finding(at, LintCode.AUTHENTICATED_WRITES, message, "name the callers, or only `methods` that read")
        if not rule.anywhere:
            yield from _open_findings(policy, rule, at)
        wide = {str(way.host) for way in _ways(policy, rule) if way.host in shared and _is_every_path(way)}
        if wide:
            message = f"`{rule.id}` allows every path of {', '.join(sorted(wide))}, for which other routes name paths"
            yield Finding(at, LintCode.PATH_WIDE, message, "paths that are added to the host later are allowed, too")


def _open_findings(policy: PolicySet, rule: Rule, at: Position) -> Iterable[Finding]:
    """What callers without a certificate may do by a rule that is about some routes."""
    if not any(policy.identities[caller].selector.admits_unauthenticated() for caller in rule.callers):
        return
    ways = _ways(policy, rule)
    if any(map(_may_write, ways)):
        message = f"`{rule.id}` lets callers without a certificate change something"
        yield Finding(at, LintCode.UNAUTHENTICATED_WRITES, message, "name only `methods` that read")
    if _are_every_path([way for way in ways if way.host is None]):
        message = f"`{rule.id}` lets callers without a certificate call every path of every host"
        yield Finding(at, LintCode.UNAUTHENTICATED_WIDE, message, "name the hosts and paths that are for everybody")


def _ways(policy: PolicySet, rule: Rule) -> list[Alternative]:
    return [way for position in rule.routes for way in policy.routes[position].alternatives]


def _is_for_everybody(policy: PolicySet, rule: Rule) -> bool:
    return any(isinstance(policy.identities[caller].selector, Authenticated) for caller in rule.callers)


def _may_write(way: Alternative) -> bool:
    return way.grpc or way.methods is None or not way.methods <= _SAFE_METHODS


def _is_every_path(way: Alternative) -> bool:
    return way.path is None or (way.path.rest and not way.path.segments)


def _are_every_path(ways: Iterable[Alternative]) -> bool:
    """Whether there is no path that is on none of `ways`, as on `/` and `/*/**` together.

    Only wildcards count: of what a literal or a repeated name matches there is always another value. So paths differ by
    how many segments they have, and by a slash at the end.
    """
    wide = [way for way in ways if not way.binds_a_name_twice]
    if any(map(_is_every_path, wide)):
        return True
    shapes = {shape for way in wide if (shape := _shape(way.path)) is not None}
    from_here = min((count for count, end in shapes if end == "/**"), default=None)
    if from_here is None:
        return False
    shorter = {(count, end) for count in range(from_here) for end in ("", "/") if (count, end) != (0, "")}
    return shorter <= shapes


def _shape(path: SegmentPattern | None) -> tuple[int, str] | None:
    """How many wildcards a pattern has, and how it ends; None if it has a literal."""
    segments = () if path is None else path.segments
    end = "/**" if path is None or path.rest else ""
    if segments and segments[-1] == "":
        segments, end = segments[:-1], "/"
    return (len(segments), end) if all(isinstance(segment, Wild) for segment in segments) else None


def _shared_hosts(policy: PolicySet) -> frozenset[HostPattern]:
    """The hosts for which some route names paths."""
    return frozenset(
        way.host
        for route in policy.routes
        for way in route.alternatives
        if way.host is not None and not _is_every_path(way)
    )
