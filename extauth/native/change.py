"""What a new policy says otherwise than the one before, for Envoy to ask about until it has the new one.

A large policy is compiled and taken in seconds; whom a CRL lists, or a changed rule names, is known at once. A small
filter ahead of the policy's marks them, and what is marked is asked. Laws: it only asks, so that no verdict is made of
two policies; what it does not mark, Envoy decides by the policy that it has.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from extauth.native.admission import listed_serials
from extauth.native.compile import Compiled
from extauth.native.expressions import ONLY_DNS, ONLY_URI
from extauth.native.limits import MAX_CHANGED_CALLERS, MAX_CHANGED_SERIALS
from extauth.native.matcher import CHANGE, SANS, SERIAL, equals, exact_map, in_order, negated, nested, state_input
from extauth.native.names import asked
from extauth.native.serials import serial_texts
from policies.engine.condition import Networks
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.engine.selector import AllOf, AnyOf, DnsIs, Reference, Selector, SerialIn, UriIs
from runtime.envoy.proto_json import Json

_ASKED = asked("change")


@dataclass(frozen=True, slots=True)
class Change:
    """Whom to ask about: certificates by serial number, and callers by their SANs as Envoy writes them."""

    serials: frozenset[int] = frozenset()
    sans: frozenset[str] = frozenset()

    @classmethod
    def of_all(cls, changes: "Iterable[Change]") -> "Change":
        """All of them together."""
        changes = tuple(changes)
        return cls(
            frozenset[int]().union(*(change.serials for change in changes)),
            frozenset[str]().union(*(change.sans for change in changes)),
        )

    def joined(self, other: "Change") -> "Change":
        """Both, in bounds: see `narrowed`."""
        return self.narrowed(Change.of_all((self, other)))

    def narrowed(self, needed: "Change") -> "Change":
        """`needed`; of more than a small filter can hold, those of `self`: who is asked about already stays so."""
        return Change(
            needed.serials if len(needed.serials) <= MAX_CHANGED_SERIALS else self.serials & needed.serials,
            needed.sans if len(needed.sans) <= MAX_CHANGED_CALLERS else self.sans & needed.sans,
        )


NO_CHANGE = Change()


def change_from_policies(before: PolicySet, after: PolicySet) -> Change:
    """What CRLs list otherwise, and whom the rules that are others now name. Rules about whole classes name nobody.

    What is listed no more may be listed again while Envoy takes the policy without it: then it is marked already.
    """
    found = [Change(listed_serials(after.trust.entries) ^ listed_serials(before.trust.entries))]
    for policy, rule in _changed_rules(before, after):
        named = _together(_named(policy.identities[caller].selector) for caller in rule.callers)
        if named is not None:
            found.append(named)
    return Change.of_all(found)


def matcher_from_change(change: Change) -> Json | None:
    """A matcher that finds whom to ask about; None if that is nobody."""
    by_sans = exact_map(state_input(SANS), dict.fromkeys(sorted(change.sans), _ASKED)) if change.sans else None
    texts = [text for serial in sorted(change.serials) for text in serial_texts(serial)]
    if not texts:
        # Envoy refuses an empty look-up.
        return by_sans
    otherwise = None if by_sans is None else nested(by_sans)
    return exact_map(state_input(SERIAL), dict.fromkeys(texts, _ASKED), otherwise)


def heeding_changes(compiled: Compiled) -> Json:
    """The matcher of `compiled`, after a question about what is marked; so is what somehow was not looked at."""
    marked = negated(equals(state_input(CHANGE), "-"))
    return in_order([(marked, _ASKED)], nested(compiled.decides))


def _changed_rules(before: PolicySet, after: PolicySet) -> Iterator[tuple[PolicySet, Rule]]:
    """The rules of either that the other has not or has otherwise, shadow rules left out."""
    if after.rules is before.rules:
        return
    known = {rule.id: rule for rule in before.rules if not rule.shadow}
    for rule in after.rules:
        if rule.shadow:
            continue
        old = known.pop(rule.id, None)
        if old is None:
            yield after, rule
        elif _said(before, old) != _said(after, rule):
            yield before, old
            yield after, rule
    for rule in known.values():
        yield before, rule


def _said(policy: PolicySet, rule: Rule) -> tuple[object, ...]:
    """What a rule says, free of where its parts stand in its policy."""
    origin = rule.origin
    return (
        rule.effect,
        rule.anywhere,
        rule.when,
        rule.set_headers,
        None if origin is None else (_cidrs(origin.inside), _cidrs(origin.outside)),
        [policy.identities[caller].selector for caller in rule.callers],
        [
            (way.host, way.path, way.methods, way.grpc, way.headers)
            for route in rule.routes
            for way in policy.routes[route].alternatives
        ],
    )


def _cidrs(networks: Networks | None) -> tuple[object, ...] | None:
    return None if networks is None else networks.cidrs


def _named(selector: Selector) -> Change | None:
    """Whom `selector` means at most, where they can be listed; None where they cannot."""
    match selector:
        case Reference():
            return _named(selector.target)
        case UriIs(pattern) if pattern.is_literal:
            return Change(sans=frozenset({ONLY_URI.format("/".join(map(str, pattern.segments)))}))
        case DnsIs(pattern) if not pattern.depth:
            return Change(sans=frozenset({ONLY_DNS.format(pattern.suffix)}))
        case SerialIn(serials):
            return Change(serials=serials)
        case AllOf(parts):
            return next((found for part in parts if (found := _named(part)) is not None), None)
        case AnyOf(parts):
            return _together(map(_named, parts))
        case _:
            return None


def _together(changes: Iterable[Change | None]) -> Change | None:
    found: list[Change] = []
    for change in changes:
        if change is None:
            return None
        found.append(change)
    return Change.of_all(found)
