"""Rules that decide nothing: what they match, others deny or allow already.

Only what is proved on the form of two rules is reported. Shadow rules are left alone, on both sides.
"""

from collections.abc import Hashable, Iterable, Sequence

from policies.authoring.limits import MAX_LINT_COMPARISONS
from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.implication import keys_needed, keys_of
from policies.authoring.lint.inclusion import Inclusion, networks_within
from policies.authoring.lint.places import Places
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.reason import Effect


def redundancy_findings(policy: PolicySet, places: Places) -> Iterable[Finding]:
    """Unreachable, denied, redundant and duplicate rules; at most one finding for a rule."""
    candidates = _Candidates(policy)
    inclusion = Inclusion(policy)
    compared = 0
    for position, rule in enumerate(policy.rules):
        if rule.shadow:
            continue
        if _never_matches(rule):
            yield _unreachable(rule, places)
            continue
        others = candidates.of(position)
        compared += len(others)
        if compared > MAX_LINT_COMPARISONS:
            yield _incomplete(rule, places)
            return
        found = _verdict(rule, others, inclusion, places)
        if found is not None:
            yield found


def _verdict(rule: Rule, others: Sequence[Rule], inclusion: Inclusion, places: Places) -> Finding | None:
    """What is to be said about `rule`: a deny that hits all of it counts more than an allow that repeats it."""
    at = places.rule(rule.id)
    if rule.effect is Effect.ALLOW:
        for other in others:
            if other.effect is Effect.DENY and inclusion.within(rule, other):
                message = f"`{rule.id}` allows nothing: {_named(other, places)} denies every request that it matches"
                return Finding(at, LintCode.RULE_DENIED, message, "narrow the deny rule, or take this one out")
    if rule.set_headers:
        return None  # it does something beside deciding
    for other in others:
        if other.effect is rule.effect and inclusion.within(rule, other):
            same = inclusion.within(other, rule)
            if same and not other.set_headers and rule.id < other.id:
                continue  # of two that are the same, the later one is reported
            if same:
                message = f"`{rule.id}` matches exactly what {_named(other, places)} does"
                return Finding(at, LintCode.RULE_DUPLICATE, message, "keep one of them")
            verb = "allows" if rule.effect is Effect.ALLOW else "denies"
            message = f"`{rule.id}` changes no verdict: {_named(other, places)} {verb} all of it already"
            return Finding(at, LintCode.RULE_REDUNDANT, message, "take it out, or narrow the wider rule")
    return None


def _never_matches(rule: Rule) -> bool:
    """Whether an allow asks for an address inside and outside of the same networks. A deny hits an unknown address."""
    origin = rule.origin
    if rule.effect is Effect.DENY or origin is None or origin.inside is None or origin.outside is None:
        return False
    return networks_within(origin.inside, origin.outside)


def _unreachable(rule: Rule, places: Places) -> Finding:
    message = f"`{rule.id}` can match no request: `not_from` takes away all of `from`"
    return Finding(places.rule(rule.id), LintCode.RULE_UNREACHABLE, message, "take one of the networks out")


def _incomplete(rule: Rule, places: Places) -> Finding:
    message = f"too many rules overlap to compare every pair; those from `{rule.id}` on were not compared with others"
    return Finding(places.rule(rule.id), LintCode.LINT_INCOMPLETE, message, "rules of one route may list their callers")


def _named(rule: Rule, places: Places) -> str:
    at = places.rule(rule.id)
    return f"`{rule.id}` ({at.file}:{at.line})"


class _Candidates:
    """Which rules could contain another: few, so that 10 000 rules are not compared with 10 000.

    A rule that contains another matches every request and every caller of it, so it is found by any one of them.
    """

    def __init__(self, policy: PolicySet) -> None:
        self._policy = policy
        self._broad = 0
        by_key: dict[Hashable, list[int]] = {}
        needed = [keys_needed(identity.selector) for identity in policy.identities]
        for position, rule in enumerate(policy.rules):
            keys = [needed[caller] for caller in rule.callers]
            if any(key is None for key in keys):
                self._broad |= policy.bit(position)
                continue
            for key in {word for words in keys if words is not None for word in words}:
                by_key.setdefault(key, []).append(position)
        self._by_key = {key: self._mask(positions) for key, positions in by_key.items()}

    def of(self, position: int) -> list[Rule]:
        """The enforced rules that may contain the one at `position`."""
        rule = self._policy.rules[position]
        mask = self._broad
        for key in keys_of(self._policy.identities[rule.callers[0]].selector):
            mask |= self._by_key.get(key, 0)
        mask &= self._reaching(rule) & self._policy.enforced & ~self._policy.bit(position)
        return self._policy.rules_in(mask)

    def _reaching(self, rule: Rule) -> int:
        index = self._policy.route_index
        if rule.anywhere:
            return index.lookup("x", "", ("x",), grpc=False)[0]
        return _reaching_alternative(self._policy, self._policy.routes[rule.routes[0]].alternatives[0])

    def _mask(self, positions: Iterable[int]) -> int:
        mask = 0
        for position in positions:
            mask |= self._policy.bit(position)
        return mask


def _reaching_alternative(policy: PolicySet, way: Alternative) -> int:
    """The rules that reach one request of `way`."""
    host = "x" if way.host is None else way.host.suffix if way.host.depth == 0 else f"x.{way.host.suffix}"
    segments = () if way.path is None else tuple(part if isinstance(part, str) else "x" for part in way.path.segments)
    method = "POST" if way.grpc else min(way.methods) if way.methods else ""
    return policy.route_index.lookup(host, method, segments or ("x",), grpc=way.grpc)[0]
