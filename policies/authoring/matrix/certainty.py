"""What is certain of one selector once another holds, decided on their form: a `True` is a proof, a `False` is none.

What the law of SVIDs adds to the form: a certificate that carries a SPIFFE ID has no other URI SAN, and passes only the
trust entry of its trust domain (`policies.peer.svid`).
"""

from policies.authoring.lint.implication import OF_CERTIFICATE, covers_pattern, implies, resolved
from policies.engine.pattern import SegmentPattern
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    DnsIs,
    NameHas,
    NameIs,
    Not,
    Selector,
    SerialIn,
    TrustIs,
    Unauthenticated,
    UriIs,
)

#: Alternatives that bind names; of more, not every way to satisfy them is looked at (`engine.limits`).
_MAX_BINDING_PARTS = 32


def holds(a: Selector, b: Selector) -> bool:
    """Whether `b` is true of every caller of whom `a` is true."""
    a, b = resolved(a), resolved(b)
    if a == b or isinstance(b, Anyone):
        return True
    if isinstance(a, AnyOf):
        return all(holds(part, b) for part in a.parts)
    match b:
        case Not(part):
            return apart(a, part)
        case AllOf(parts):
            return sum(1 for part in parts if part.may_bind) <= 1 and all(holds(a, part) for part in parts)
        case AnyOf(parts) if sum(1 for part in parts if part.may_bind) <= _MAX_BINDING_PARTS:
            if any(holds(a, part) for part in parts):
                return True
    if isinstance(a, AllOf):
        return any(holds(part, b) for part in a.parts)
    return _field_holds(a, b)


def apart(a: Selector, b: Selector) -> bool:
    """Whether `b` is false, not unknown, of every caller of whom `a` is true."""
    a, b = resolved(a), resolved(b)
    if isinstance(a, AnyOf):
        return all(apart(part, b) for part in a.parts)
    match b:
        case AnyOf(parts):
            return all(apart(a, part) for part in parts)
        case Not(part):
            return holds(a, part)
        case AllOf(parts) if any(apart(a, part) for part in parts):
            return True
    if isinstance(a, AllOf):
        return any(apart(part, b) for part in a.parts)
    if isinstance(a, Not):
        return implies(b, a.part)
    return _fields_apart(a, b)


def _field_holds(a: Selector, b: Selector) -> bool:
    match a, b:
        case UriIs(mine, trust), UriIs(its, its_trust):
            return trust == its_trust and covers_pattern(its, mine) and not _binds_twice(its)
        case UriIs(_, trust), TrustIs(entries):
            return trust in entries
        case DnsIs(host), DnsIs(its_host):
            return its_host.covers(host)
        case _, Authenticated():
            return isinstance(a, OF_CERTIFICATE)
    return implies(a, b)


def _fields_apart(a: Selector, b: Selector) -> bool:
    match a, b:
        case (Unauthenticated(), _) | (_, Unauthenticated()):
            other = b if isinstance(a, Unauthenticated) else a
            return isinstance(other, OF_CERTIFICATE)
        case UriIs(mine, trust), UriIs(its, its_trust) if trust is not None:
            return trust != its_trust or not unifies(mine, its)
        case UriIs(_, trust), UriIs(_, its_trust):
            return its_trust is not None
        case (UriIs(_, trust), TrustIs(entries)) | (TrustIs(entries), UriIs(_, trust)):
            return trust is not None and trust not in entries
        case SerialIn(mine_), SerialIn(its_):
            return mine_.isdisjoint(its_)
        case DigestIn(True, mine_digests), DigestIn(True, its_digests):
            return mine_digests.isdisjoint(its_digests)
        case NameIs(of_issuer, name), NameIs(its_issuer, its_name):
            return of_issuer == its_issuer and name.rdns != its_name.rdns
        case (NameIs() as whole, NameHas() as part) | (NameHas() as part, NameIs() as whole):
            return whole.of_issuer == part.of_issuer and not _has(whole, part)
    return False


def unifies(a: SegmentPattern, b: SegmentPattern) -> bool:
    """Whether some segments may match both patterns; captures are taken as wildcards."""
    if len(a.segments) < len(b.segments):
        a, b = b, a
    if len(a.segments) > len(b.segments) and not b.rest:
        return False
    return all(
        (mine == its) if isinstance(mine, str) and isinstance(its, str) else "" not in {mine, its}
        for mine, its in zip(a.segments, b.segments, strict=False)
    )


def _binds_twice(pattern: SegmentPattern) -> bool:
    return len(pattern.places) != len(pattern.captures)


def _has(whole: NameIs, part: NameHas) -> bool:
    return any(oid == part.oid and value in part.values for rdn in whole.name.rdns for oid, value in rdn)
