"""What the identities of a policy say of names and serial numbers, taken out of their selectors."""

from collections.abc import Iterator
from dataclasses import dataclass

from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DnsIs,
    Not,
    Reference,
    Selector,
    SerialIn,
    TrustIs,
    Unauthenticated,
    UriIs,
)


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Every URI and DNS pattern and every serial number that some selector of the policy tests."""

    uris: frozenset[SegmentPattern]
    names: frozenset[HostPattern]
    serials: frozenset[int]


def mentioned_by_policy(policy: PolicySet) -> Mentioned:
    """What the selectors of all identities mention, inline ones included."""
    uris, names, serials = set[SegmentPattern](), set[HostPattern](), set[int]()
    seen: set[int] = set()
    for identity in policy.identities:
        for part in _parts(identity.selector, seen):
            if isinstance(part, UriIs):
                uris.add(part.pattern)
            elif isinstance(part, DnsIs):
                names.add(part.pattern)
            elif isinstance(part, SerialIn):
                serials |= part.serials
    return Mentioned(frozenset(uris), frozenset(names), frozenset(serials))


def goes_beyond_names(policy: PolicySet) -> bool:
    """Whether some selector tests more of a certificate than its URIs, its DNS names and who vouches for it."""
    seen: set[int] = set()
    names = (UriIs, DnsIs, TrustIs, Authenticated, Unauthenticated, Anyone)
    return any(not isinstance(part, names) for one in policy.identities for part in _parts(one.selector, seen))


def _parts(selector: Selector, seen: set[int]) -> Iterator[Selector]:
    """The atoms of a selector; what was `seen` (by identity of the object) is not walked again."""
    if id(selector) in seen:
        return
    seen.add(id(selector))
    if isinstance(selector, AllOf | AnyOf):
        for part in selector.parts:
            yield from _parts(part, seen)
    elif isinstance(selector, Not):
        yield from _parts(selector.part, seen)
    elif isinstance(selector, Reference):
        yield from _parts(selector.target, seen)
    else:
        yield selector
