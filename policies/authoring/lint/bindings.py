"""Bound names that are compared with nothing: what looks like a tie between caller and route, and is none."""

from collections.abc import Iterable, Iterator

from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.language.wording import listed

_HINT = "bind it on both sides, use it in `set_headers`, or write `*` for it"


def binding_findings(policy: PolicySet, places: Places) -> Iterable[Finding]:
    """Rules of which one side binds a name that the other side does not, and no header uses.

    A name that only routes of the policy bind, such as `{id}`, is a way to write `*` and ties nothing to anybody.
    """
    names_of_callers = {name for identity in policy.identities for name in identity.selector.may_bind}
    if not names_of_callers:
        return
    for rule in policy.rules:
        callers = {name for caller in rule.callers for name in policy.identities[caller].selector.may_bind}
        routes = {name for route in rule.routes for name in policy.routes[route].may_bind}
        told = {name for _, template in rule.set_headers for name in template.captures}
        yield from _one_sided(rule, places, callers - routes - told, "its callers", "its routes")
        lost = (routes & names_of_callers) - callers - told
        yield from _one_sided(rule, places, lost, "its routes", "its callers")


def _one_sided(rule: Rule, places: Places, names: Iterable[str], side: str, other: str) -> Iterator[Finding]:
    if names := sorted(names):
        shown = listed([f"{{{name}}}" for name in names], "and")
        message = f"in `{rule.id}`, {shown} of {side} is compared with nothing of {other}: every value is meant"
        yield Finding(places.rule(rule.id), LintCode.BINDING_ONE_SIDED, message, _HINT)
