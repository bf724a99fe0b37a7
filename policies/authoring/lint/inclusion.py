"""Whether one rule lies within another, decided on their form: a `True` is a proof, a `False` is none."""

from policies.authoring.lint.implication import covers_pattern, implies
from policies.engine.condition import Networks, Origin, When
from policies.engine.policy_set import PolicySet
from policies.engine.route import Alternative
from policies.engine.rule import Rule
from policies.reason import Effect


class Inclusion:
    """Compares the rules of one policy, and remembers how its identities and routes lie within each other."""

    def __init__(self, policy: PolicySet) -> None:
        self._policy = policy
        self._callers: dict[tuple[int, int], bool] = {}
        self._routes: dict[tuple[int, int], bool] = {}

    def within(self, narrow: Rule, wide: Rule) -> bool:
        """Whether `wide` matches, or as a deny hits, whatever `narrow` does."""
        if not _circumstances_within(narrow, wide):
            return False
        if wide.joins:
            # Names shared by both sides, and headers, are compared with those of the very same parts only.
            same = (narrow.callers, narrow.routes, narrow.anywhere) == (wide.callers, wide.routes, wide.anywhere)
            return same and narrow.effect is wide.effect
        both_allow = narrow.effect is wide.effect is Effect.ALLOW
        return self._route_sides_within(narrow, wide) and all(
            any(self._caller_within(mine, its, both_allow=both_allow) for its in wide.callers)
            for mine in narrow.callers
        )

    def _caller_within(self, mine: int, its: int, *, both_allow: bool) -> bool:
        if mine == its:
            return True
        a, b = self._policy.identities[mine].selector, self._policy.identities[its].selector
        if both_allow and a.admits_unauthenticated() and not b.admits_unauthenticated():
            return False
        if (mine, its) not in self._callers:
            self._callers[mine, its] = implies(a, b)
        return self._callers[mine, its]

    def _route_sides_within(self, narrow: Rule, wide: Rule) -> bool:
        if wide.anywhere or narrow.anywhere:
            return wide.anywhere
        return all(any(self._route_within(mine, its) for its in wide.routes) for mine in narrow.routes)

    def _route_within(self, mine: int, its: int) -> bool:
        if mine == its:
            return True
        if (mine, its) not in self._routes:
            wide = self._policy.routes[its].alternatives
            self._routes[mine, its] = all(
                any(_alternative_within(way, other) for other in wide) for way in self._policy.routes[mine].alternatives
            )
        return self._routes[mine, its]


def _alternative_within(narrow: Alternative, wide: Alternative) -> bool:
    if wide.binds_a_name_twice or wide.headers:
        return False
    if wide.host is not None and (narrow.host is None or not wide.host.covers(narrow.host)):
        return False
    if wide.path is not None and (narrow.path is None or not covers_pattern(wide.path, narrow.path)):
        return False
    if wide.grpc or wide.methods is None:
        return narrow.grpc or not wide.grpc
    methods = frozenset({"POST"}) if narrow.grpc else narrow.methods
    return methods is not None and methods <= wide.methods


def _circumstances_within(narrow: Rule, wide: Rule) -> bool:
    return _origin_within(narrow.origin, wide.origin) and _when_within(narrow.when, wide.when)


def _origin_within(narrow: Origin | None, wide: Origin | None) -> bool:
    if wide is None or narrow == wide:
        return True
    if narrow is None:
        return False
    inside = wide.inside is None or (narrow.inside is not None and networks_within(narrow.inside, wide.inside))
    outside = wide.outside is None or (narrow.outside is not None and networks_within(wide.outside, narrow.outside))
    return inside and outside


def networks_within(narrow: Networks, wide: Networks) -> bool:
    """Whether every network of `narrow` lies in one of `wide`."""
    return all(
        any(
            mine.version == its.version and its.prefixlen <= mine.prefixlen and mine.network_address in its
            for its in wide.cidrs
        )
        for mine in narrow.cidrs
    )


def _when_within(narrow: When | None, wide: When | None) -> bool:
    if wide is None or narrow == wide:
        return True
    if narrow is None:
        return False
    same_clock = (narrow.days, narrow.hours, narrow.timezone) == (wide.days, wide.hours, wide.timezone)
    begins = wide.after is None or (narrow.after is not None and narrow.after >= wide.after)
    ends = wide.before is None or (narrow.before is not None and narrow.before <= wide.before)
    return begins and ends and narrow.sni == wide.sni and (same_clock or not (wide.days or wide.hours))
