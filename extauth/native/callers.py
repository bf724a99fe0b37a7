"""Callers as Envoy can tell them apart: the engine's own verdict on what is known of each, and unknown for the rest.

Envoy shows the SANs of a certificate and its serial number. Subject, issuer, key and fingerprint stay unknown, and the
engine's three-valued logic says for which rules that matters; nothing here decides what a selector means.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from extauth.native.admission import EntryAdmission
from extauth.native.expressions import ONLY_DNS, ONLY_URI, dns_sans, name_sans, short_svid_sans, spiffe_sans, svid_sans
from extauth.native.limits import MAX_CALLER_OVERLAPS, MAX_CALLER_PATTERNS
from extauth.native.mentioned import Mentioned
from policies.engine.caller import CallerState
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern, Wild, uri_segments
from policies.engine.policy_set import PolicySet
from policies.engine.truth import UNKNOWN, truth_of
from policies.peer.certificate import IdentityFacts
from policies.peer.errors import SpiffeIdError
from policies.peer.presented import NO_CERTIFICATE
from policies.peer.spiffe import SpiffeId

#: No certificate has it (RFC 5280 §4.1.2.2): a serial number that no rule mentions.
_UNMENTIONED_SERIAL = -1
#: A segment and a label that stand for any other; a policy that writes it is not compiled that far.
_ANY = "peergate-any-other"


@dataclass(frozen=True, slots=True)
class NativeCaller:
    """The rules about the callers of one class, one bit each, enforced rules only.

    `unsure`: denies, `missed`: allows that depend on what Envoy does not show. `unclear`: a named identity does, so the
    upstream could not be told who calls; `untold`: the names of those.
    """

    allow: int
    deny: int
    unsure: int
    missed: int
    names: tuple[str, ...]
    unclear: bool
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """Callers that match all of `matching` and none of `others`: regular expressions over the SANs."""

    matching: tuple[str, ...]
    others: tuple[str, ...]
    caller: NativeCaller


@dataclass(frozen=True, slots=True)
class NativeCallers:
    """`admitted`: a regular expression over the SANs; what does not match it is asked.

    `short`: one for those among them that are surely not too long.
    `exact`: by the whole text of the SANs. `patterns`: for the SANs without an exact entry; at most one holds, and
    exactly one where the classes are `complete`. `anonymous`: callers without a certificate.
    """

    admitted: str
    short: str
    exact: dict[str, NativeCaller]
    patterns: tuple[Pattern, ...]
    complete: bool
    anonymous: NativeCaller

    def certified(self) -> Iterator[NativeCaller]:
        """Every class of callers with a certificate."""
        yield from self.exact.values()
        yield from (pattern.caller for pattern in self.patterns)


def native_callers(policy: PolicySet, admission: EntryAdmission, mentioned: Mentioned) -> NativeCallers:
    """The classes of callers of one trust entry."""
    judge = _Judge(policy, frozenset({admission.entry}))
    if admission.trust_domain is None:
        names = _DnsNames(mentioned.names)
        exact = {ONLY_DNS.format(name): judge.caller(dns=name) for name in names.literals}
        patterns = tuple(names.patterns(judge))
        sans = name_sans()
        return _told_apart(NativeCallers(sans, sans, exact, patterns, names.complete, judge.anonymous()))
    domain = f"spiffe://{admission.trust_domain.name}"
    own = frozenset(pattern for pattern in mentioned.uris if pattern.segments[0] == domain)
    uris = _SpiffeIds(own, domain)
    exact = {ONLY_URI.format(uri): judge.caller(uri=uri) for uri in uris.literals}
    admitted, short = svid_sans(admission.trust_domain), short_svid_sans(admission.trust_domain)
    patterns = tuple(uris.patterns(judge))
    return _told_apart(NativeCallers(admitted, short, exact, patterns, uris.complete, judge.anonymous()))


def _told_apart(callers: NativeCallers) -> NativeCallers:
    """Where a caller with an exact entry has no name, callers whose pattern has one are asked: it would be given it."""
    if all(caller.names for caller in callers.exact.values()):
        return callers
    patterns = tuple(
        replace(pattern, caller=replace(pattern.caller, unclear=True)) if pattern.caller.names else pattern
        for pattern in callers.patterns
    )
    return replace(callers, patterns=patterns)


class _Judge:
    """Asks the engine about the facts that Envoy shows."""

    def __init__(self, policy: PolicySet, trust: frozenset[str]) -> None:
        self._policy = policy
        self._trust = trust

    def caller(self, *, uri: str | None = None, dns: str | None = None) -> NativeCaller:
        facts = IdentityFacts(
            uri=() if uri is None else (uri,), dns=() if dns is None else (dns,), serial=_UNMENTIONED_SERIAL
        )
        return self._told(self._policy.caller_from_facts(facts, self._trust))

    def anonymous(self) -> NativeCaller:
        return self._told(self._policy.caller(NO_CERTIFICATE, 0))

    def _told(self, state: CallerState) -> NativeCaller:
        unknown = (position for position, ways in state.solutions.items() if truth_of(ways) == UNKNOWN)
        untold = tuple(name for position in unknown if (name := self._policy.identities[position].name))
        enforced = self._policy.enforced
        return NativeCaller(
            allow=state.allow & enforced,
            deny=state.deny & ~state.unsure & enforced,
            unsure=state.unsure & enforced,
            missed=state.missed & enforced,
            names=state.names,
            unclear=untold != (),
            untold=untold,
        )


class _SpiffeIds:
    """SPIFFE ID patterns of one trust domain.

    `complete`: the classes of `patterns` are all there are. For each caller without an exact entry, what the patterns
    that it matches have in common is one of the overlaps, and a sample of it with as many segments matches just the
    same patterns. A sample that has an exact entry stands for nobody else.
    """

    def __init__(self, patterns: frozenset[SegmentPattern], domain: str) -> None:
        written = sorted("/".join(map(str, pattern.segments)) for pattern in patterns if pattern.is_literal)
        self.literals = dict.fromkeys(uri for uri in written if _is_caller(uri))
        self._wild = sorted((pattern for pattern in patterns if not pattern.is_literal), key=spiffe_sans)
        whole = SegmentPattern((domain,), rest=True)
        overlaps = _overlaps([whole, *self._wild]) if len(self._wild) <= MAX_CALLER_PATTERNS else None
        self.complete = overlaps is not None and not any(map(_is_odd, patterns))
        self._overlaps = overlaps if overlaps is not None and self.complete else ()
        self._longest = max(len(pattern.segments) for pattern in (whole, *self._wild)) + 1

    def patterns(self, judge: _Judge) -> Iterator[Pattern]:
        """A class for each way of matching some of the patterns and not the others."""
        found: dict[frozenset[SegmentPattern], str] = {}
        samples = (uri for overlap in self._overlaps for uri in _samples(overlap, self._longest))
        for uri in (uri for uri in samples if _is_caller(uri) and uri not in self.literals):
            segments = uri_segments(uri)
            found.setdefault(frozenset(p for p in self._wild if p.bound(segments) is not None), uri)
        for met, uri in found.items():
            yield _pattern([(spiffe_sans(p), p in met) for p in self._wild], judge.caller(uri=uri))


class _DnsNames:
    """DNS name patterns.

    `complete`, as for SPIFFE IDs: which patterns a name matches depends on the longest suffix among them that it ends
    with, and on whether one label stands before that or more.
    """

    def __init__(self, patterns: frozenset[HostPattern]) -> None:
        self.literals = sorted({pattern.suffix for pattern in patterns if pattern.depth == 0})
        self._wild = sorted((pattern for pattern in patterns if pattern.depth), key=str)
        odd = any(_ANY in pattern.suffix.split(".") for pattern in patterns)
        self.complete = len(self._wild) <= MAX_CALLER_PATTERNS and not odd

    def patterns(self, judge: _Judge) -> Iterator[Pattern]:
        """A class for each way of matching some of the patterns and not the others."""
        found: dict[frozenset[HostPattern], str] = {}
        beyond = [f"{_ANY}.{_ANY}.{pattern.suffix}" for pattern in self._wild]
        for name in [_ANY, *(f"{_ANY}.{pattern.suffix}" for pattern in self._wild), *beyond] if self.complete else ():
            found.setdefault(frozenset(p for p in self._wild if p.bound(name) is not None), name)
        for met, name in found.items():
            yield _pattern([(dns_sans(p), p in met) for p in self._wild], judge.caller(dns=name))


def _pattern(expressions: Iterable[tuple[str, bool]], caller: NativeCaller) -> Pattern:
    matches = dict(expressions)
    return Pattern(
        tuple(expression for expression, holds in matches.items() if holds),
        tuple(expression for expression, holds in matches.items() if not holds),
        caller,
    )


def _is_caller(uri: str) -> bool:
    """Whether `uri` can be the SPIFFE ID of a caller."""
    try:
        return SpiffeId.parse(uri).path != ""
    except SpiffeIdError:
        return False


def _is_odd(pattern: SegmentPattern) -> bool:
    """Whether it binds a name twice, which no regular expression says, or has the very segment that stands for any."""
    return len(pattern.places) != len(pattern.captures) or _ANY in pattern.segments


def _overlaps(patterns: Sequence[SegmentPattern]) -> tuple[SegmentPattern, ...] | None:
    """The patterns, and what any of them have in common; None if that is more than can be looked at."""
    known = dict.fromkeys(map(_anonymous, patterns))
    fresh = list(known)
    while fresh:
        met = [common for new in fresh for old in list(known) if (common := _common(new, old)) is not None]
        fresh = [common for common in dict.fromkeys(met) if common not in known]
        known |= dict.fromkeys(fresh)
        if len(known) > MAX_CALLER_OVERLAPS:
            return None
    return tuple(known)


def _anonymous(pattern: SegmentPattern) -> SegmentPattern:
    return SegmentPattern(tuple(p if isinstance(p, str) else Wild() for p in pattern.segments), pattern.rest)


def _common(left: SegmentPattern, right: SegmentPattern) -> SegmentPattern | None:
    """A pattern for what both match; None if that is nothing."""
    short, long = sorted((left, right), key=lambda pattern: len(pattern.segments))
    if len(short.segments) < len(long.segments) and not short.rest:
        return None
    merged: list[str | Wild] = []
    for a, b in zip(short.segments, long.segments, strict=False):
        if isinstance(a, str) and isinstance(b, str) and a != b:
            return None
        merged.append(a if isinstance(a, str) else b)
    return SegmentPattern((*merged, *long.segments[len(short.segments) :]), short.rest and long.rest)


def _samples(pattern: SegmentPattern, longest: int) -> Iterator[str]:
    """One URI that matches `pattern` for each number of segments up to `longest`."""
    parts = [part if isinstance(part, str) else _ANY for part in pattern.segments]
    yield "/".join(parts)
    if pattern.rest:
        for more in range(1, longest - len(parts) + 1):
            yield "/".join(parts + [_ANY] * more)
