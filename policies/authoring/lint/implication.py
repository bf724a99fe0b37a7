"""Whether one identity selector lies within another, decided on their form: a `True` is a proof, a `False` is none.

INVARIANT: `implies(a, b)` means that for every caller the truth of `a` (false < unknown < true) is at most that of
`b`. This carries both what an allow matches (true) and what a deny hits (true or unknown).
"""

from collections.abc import Hashable

from policies.engine.pattern import SegmentPattern, Wild
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    DnsIs,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Not,
    Reference,
    Selector,
    SerialIn,
    TrustIs,
    UriIs,
)

#: Conditions on a certificate: false for a caller without one.
OF_CERTIFICATE = (Authenticated, TrustIs, UriIs, DnsIs, EmailIs, IpSanIn, NameIs, NameHas, DigestIn, SerialIn)


def implies(a: Selector, b: Selector) -> bool:
    """Whether `a` provably lies within `b`. A `b` that binds names is only ever equal."""
    a, b = resolved(a), resolved(b)
    if a == b or isinstance(b, Anyone):
        return True
    if b.may_bind:
        return False
    if isinstance(a, AnyOf):
        return all(implies(part, b) for part in a.parts)
    if isinstance(b, AllOf):
        return all(implies(a, part) for part in b.parts)
    if isinstance(b, AnyOf) and any(implies(a, part) for part in b.parts):
        return True
    if isinstance(a, AllOf):
        return any(implies(part, b) for part in a.parts)
    return _implies_field(a, b)


def covers_pattern(wide: SegmentPattern, narrow: SegmentPattern) -> bool:
    """Whether everything that `narrow` matches is matched by `wide`, bindings aside."""
    size = len(wide.segments)
    if len(narrow.segments) < size or (not wide.rest and (narrow.rest or len(narrow.segments) > size)):
        return False
    return all(
        mine == its if isinstance(mine, str) else its != ""
        for mine, its in zip(wide.segments, narrow.segments, strict=False)
    )


def keys_needed(selector: Selector) -> frozenset[Hashable] | None:
    """Keys of which a selector that implies this one has at least one in `keys_of`; None if it needs none."""
    match resolved(selector):
        case AllOf(parts):
            return next((keys for part in parts if (keys := keys_needed(part)) is not None), None)
        case AnyOf(parts):
            found: set[Hashable] = set()
            for part in parts:
                keys = keys_needed(part)
                if keys is None:
                    return None
                found |= keys
            return frozenset(found)
        case UriIs(pattern, _):
            return frozenset({("uri", _leading(pattern))})
        case field:
            return _field_keys(field) or None


def keys_of(selector: Selector) -> frozenset[Hashable]:
    """The exact names that a selector tests, and every literal beginning of its URIs; those of one alternative."""
    match resolved(selector):
        case AllOf(parts):
            return frozenset[Hashable]().union(*map(keys_of, parts))
        case AnyOf(parts):
            return keys_of(parts[0]) if parts else frozenset()
        case UriIs(pattern, _):
            leading = _leading(pattern)
            return frozenset(("uri", leading[:size]) for size in range(len(leading) + 1))
        case field:
            return _field_keys(field)


def _implies_field(a: Selector, b: Selector) -> bool:
    match a, b:
        case _, Authenticated():
            return isinstance(a, OF_CERTIFICATE)
        case UriIs(mine, trust), UriIs(its, its_trust):
            return trust == its_trust and covers_pattern(its, mine)
        case DnsIs(host), DnsIs(its_host):
            return its_host.covers(host)
        case EmailIs(address), EmailIs(its_address):
            local, _, domain = address.partition("@")
            return its_address.startswith("*@") and local not in {"", "*"} and its_address[2:] == domain
        case (TrustIs(some), TrustIs(all_)) | (SerialIn(some), SerialIn(all_)):
            return some <= all_
        case DigestIn(of_spki, some), DigestIn(its_kind, all_):
            return of_spki == its_kind and some <= all_
        case NameHas(of_issuer, oid, some), NameHas(its_issuer, its_oid, all_):
            return (of_issuer, oid) == (its_issuer, its_oid) and some <= all_
        case Not(part), Not(its_part):
            return implies(its_part, part)
    return False


def _field_keys(field: Selector) -> frozenset[Hashable]:
    match field:
        case DnsIs(host) if host.depth == 0:
            return frozenset({("dns", host.suffix)})
        case SerialIn(serials):
            return frozenset(("serial", serial) for serial in serials)
        case DigestIn(_, digests):
            return frozenset(("digest", digest) for digest in digests)
    return frozenset()


def _leading(pattern: SegmentPattern) -> tuple[str, ...]:
    """The literal segments before the first wildcard: a pattern that covers this one begins with some of them."""
    wild = next((at for at, part in enumerate(pattern.segments) if isinstance(part, Wild)), len(pattern.segments))
    return tuple(part for part in pattern.segments[:wild] if isinstance(part, str))


def resolved(selector: Selector) -> Selector:
    """What a name, or a combination of one part, stands for."""
    while True:
        if isinstance(selector, Reference):
            selector = selector.target
        elif isinstance(selector, AllOf | AnyOf) and len(selector.parts) == 1:
            selector = selector.parts[0]
        else:
            return selector
