"""The rows and columns of a matrix: identities and routes of a policy, those without a name of their own, too."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from policies.authoring.matrix.kinship import admitted
from policies.authoring.matrix.naming import route_text, selector_text
from policies.authoring.matrix.reach import Ways
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Identity
from policies.engine.selector import Anyone, Authenticated, Not, Reference, Selector, Unauthenticated
from policies.reason import Effect

#: Characters of the name of an identity or a route that its author gave none.
_MAX_NAME_CHARS = 80
#: The column of every request that is on no other.
ELSEWHERE = "any"
ELSEWHERE_TEXT = "every request that is on no other route of the policy"


@dataclass(frozen=True, slots=True)
class Axis:
    """A row or a column. `text` says what it is; `named`: the policy, or its language, gave it the name."""

    name: str
    text: str
    named: bool


def rows_of(policy: PolicySet) -> tuple[tuple[Axis, ...], tuple[Selector, ...]]:
    """The built-in identities, then those of the policy, then selectors that stand in rules; each selector once.

    Whoever a rule allows is of a row: `authenticated` is one if a rule is about it, or about nobody in particular.
    """
    found: dict[Selector, Axis] = {
        Unauthenticated(): Axis("unauthenticated", "no certificate was presented", named=True)
    }
    if any(isinstance(identity.selector, Authenticated) or _is_rest(identity) for identity in policy.identities):
        found[Authenticated()] = Axis("authenticated", "the certificate passes a trust entry", named=True)
    for identity in policy.identities:
        selector = identity.selector
        if isinstance(selector, Anyone) or _is_rest(identity):
            continue  # nobody in particular
        text = selector_text(selector.target if isinstance(selector, Reference) else selector)
        axis = Axis(identity.name or _shortened(text), text, named=bool(identity.name))
        found.setdefault(selector, axis)
    return tuple(found.values()), tuple(admitted(selector, Effect.ALLOW) for selector in found)


def _is_rest(identity: Identity) -> bool:
    """Whether it is everybody but those whom a rule names."""
    return not identity.name and isinstance(identity.selector, Not)


def columns_of(policy: PolicySet) -> tuple[tuple[Axis, ...], tuple[Ways, ...]]:
    """The routes that rules use, then those that stand in rules, each once; then all else, if a rule reaches it."""
    named: dict[str, Ways] = {}
    inline: dict[Ways, str] = {}
    for route in policy.routes:
        if not route.name:
            inline.setdefault(
                tuple(replace(way, route=-1) for way in route.alternatives), route_text(route.alternatives)
            )
        elif route.name not in named or any(way.grpc for way in route.alternatives):
            named[route.name] = route.alternatives  # of a gRPC route, the calls; a deny hits its paths besides
    axes = [Axis(name, route_text(ways), named=True) for name, ways in sorted(named.items())]
    axes += [Axis(_shortened(text), text, named=False) for text in inline.values()]
    ways = [*(ways for _, ways in sorted(named.items())), *inline]
    if any(rule.anywhere for rule in policy.rules):
        axes.append(Axis(ELSEWHERE, ELSEWHERE_TEXT, named=True))
        ways.append(())
    return tuple(axes), tuple(ways)


def told_apart(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """The same, with a number behind names that were equal, so that a name means one row or column."""
    seen: set[str] = set()
    found: list[Axis] = []
    for axis in axes:
        name, number = axis.name, 1
        while name in seen:
            number += 1
            name = f"{axis.name} ({number})"
        seen.add(name)
        found.append(replace(axis, name=name))
    return tuple(found)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_NAME_CHARS else text[: _MAX_NAME_CHARS - 1] + "…"
