"""A request at which parts of rules hold: the most general one of a shape, so that it meets as few others as can be."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from policies.authoring.claim import Claim, ClaimError, asserted_from_claim
from policies.authoring.diff.callers import (
    Kind,
    Wanted,
    kinds_of_callers,
    name_wishes,
    nobody_fits,
    somebody_fits,
    trust_of,
)
from policies.authoring.diff.circumstances import header_name, header_values, methods, server_names, sources, times
from policies.authoring.diff.facts import claim_from_wanted
from policies.authoring.diff.literal import (
    IS_TRUE,
    ClockIn,
    Condition,
    GrpcContent,
    HeaderHas,
    Literal,
    MethodIn,
    NotBefore,
    Point,
    SniIn,
    SniIsHost,
    SourceIn,
)
from policies.authoring.diff.pairing import EntryPair
from policies.authoring.diff.parts import Part
from policies.authoring.diff.vocabulary import Vocabulary
from policies.authoring.diff.words import Wish, labels_pattern, words_from_wishes
from policies.engine.errors import RequestError
from policies.engine.host import HostPattern
from policies.engine.pattern import SegmentPattern
from policies.engine.policy_set import PolicySet
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request
from policies.engine.selector import Caller, UriIs
from policies.engine.target import canonical_target
from policies.peer.presented import NO_CERTIFICATE, AssertedIdentity

#: RFC 3986 §3.3 pchar without what law 6 refuses; everything else is escaped.
_PATH_SAFE = "!$&'()*+,=:@-._~"


@dataclass(frozen=True, slots=True)
class Shape:
    """How many segments host and path have, whether the path ends in a slash, and the length of URI SANs."""

    kind: Kind
    host: int
    path: int
    slashed: bool
    uri: int


@dataclass(frozen=True, slots=True)
class Found:
    """A point, and the claim that makes its caller; None for nobody."""

    point: Point
    claim: Claim | None


class Points:
    """Makes points for two policies. `now`: epoch seconds, the time of points at which no condition is about time."""

    def __init__(self, policy: PolicySet, pairs: Sequence[EntryPair], vocabulary: Vocabulary, now: float) -> None:
        self._store = policy.trust
        self._kinds = kinds_of_callers(pairs)
        self._vocabulary = vocabulary
        self._now = now

    def shapes(self, parts: Sequence[Part]) -> Iterator[Shape]:
        """Every shape that a request can have at which `parts` hold, the plainest first."""
        wanted = Wanted.of([(scope, literal) for scope, part in enumerate(parts) for literal in part.caller])
        words = self._vocabulary
        hosts = _lengths([part.place.labels for part in parts], words.host_depth + 1)
        paths = _lengths([part.place.path for part in parts], words.path_depth + 1)
        for kind in self._kinds:
            for uri in self._uri_lengths(kind, wanted):
                for host in hosts:
                    for slashed in (False, True):
                        for path in paths:
                            yield Shape(kind, host, path, slashed, uri)

    def point(self, parts: Sequence[Part], extra: Iterable[Literal], shape: Shape) -> Found | None:
        """The point of that shape at which `parts` and `extra` hold; None if there is none."""
        literals = [(scope, literal) for scope, part in enumerate(parts) for literal in part.literals]
        literals += [(len(parts), literal) for literal in extra]
        fresh = self._vocabulary.fresh()
        wanted = Wanted.of(literals)
        trust = self._trust(shape.kind, wanted)
        words = None if trust is None else self._words(parts, wanted, shape, fresh)
        if trust is None or words is None:
            return None
        claim = None
        if not shape.kind.is_nobody:
            claim = claim_from_wanted(wanted, words, self._vocabulary.kinds, fresh)
            if claim is None:
                return None
        point = self._settled(words, claim, trust, [literal for _, literal in literals], fresh)
        if point is None or not all(literal.holds(point) for _, literal in literals):
            return None
        return Found(point, claim)

    @staticmethod
    def _trust(kind: Kind, wanted: Wanted) -> frozenset[str] | None:
        if kind.is_nobody:
            return frozenset() if nobody_fits(wanted) else None
        return trust_of(kind, wanted) if somebody_fits(wanted) else None

    def _uri_lengths(self, kind: Kind, wanted: Wanted) -> Iterable[int]:
        if kind.is_nobody:
            return (0,) if nobody_fits(wanted) else ()
        if not somebody_fits(wanted) or trust_of(kind, wanted) is None or name_wishes(kind, wanted, 1) is None:
            return ()
        deepest = self._vocabulary.uri_depth + 1
        if kind.trust_domain is None:
            return range(deepest) if self._vocabulary.has_open_uris else (0,)
        patterns = [selector.pattern for _, selector in wanted.positive if isinstance(selector, UriIs)]
        return _lengths(patterns, deepest)

    @staticmethod
    def _words(
        parts: Sequence[Part], wanted: Wanted, shape: Shape, fresh: Callable[[str], str]
    ) -> Mapping[Hashable, tuple[str, ...]] | None:
        names = ([], {}) if shape.kind.is_nobody else name_wishes(shape.kind, wanted, shape.uri)
        if names is None:
            return None
        wishes, lengths = names
        for scope, part in enumerate(parts):
            if part.place.labels is not None:
                wishes.append(Wish(scope, "host", part.place.labels))
            if Literal(SniIsHost(), IS_TRUE) in part.place.literals:
                # The host is the server name, so what is asked of this is asked of that.
                wishes += [Wish(scope, "host", labels_pattern(pattern)) for pattern in _sole_server_names(part)]
            if part.place.path is not None:
                wishes.append(Wish(scope, "path", part.place.path))
        return words_from_wishes(wishes, {"host": shape.host, "path": shape.path, **lengths}, shape.slashed, fresh)

    def _settled(
        self,
        words: Mapping[Hashable, tuple[str, ...]],
        claim: Claim | None,
        trust: frozenset[str],
        literals: Sequence[Literal],
        fresh: Callable[[str], str],
    ) -> Point | None:
        """The point, its circumstances chosen one after the other; each literal is about one of them."""
        host = ".".join(reversed(words["host"]))
        target = "/" + "/".join(quote(segment, safe=_PATH_SAFE) for segment in words["path"])
        try:
            if canonical_target("GET", target, host) != (host, words["path"]):
                return None
            peer = (
                NO_CERTIFICATE
                if claim is None
                else asserted_from_claim(replace(claim, trust=tuple(trust)), self._store)
            )
        except (RequestError, ClaimError):
            return None
        facts = peer.facts if isinstance(peer, AssertedIdentity) else None
        request = Request(peer, "GET", target, host, EMPTY_HEADERS, None, None, UNREPORTED, self._now)
        return self._chosen(Point(Caller(facts, trust), request, host, words["path"]), literals, fresh)

    def _chosen(self, point: Point, literals: Sequence[Literal], fresh: Callable[[str], str]) -> Point | None:
        found: Point | None = point
        for kinds, choose in _CHOICES:
            asked = [literal for literal in literals if isinstance(literal.condition, kinds)]
            if found is None or (not asked and (MethodIn in kinds or self._vocabulary.kinds.isdisjoint(kinds))):
                continue
            for group in _by_header(asked) if HeaderHas in kinds else (asked,):
                conditions = list(dict.fromkeys(literal.condition for literal in group))
                if found is not None:
                    requests = choose(conditions, found.request, _Means(found.host, self._now, fresh))
                    found = _first(_points(found, requests), group)
        return found


@dataclass(frozen=True, slots=True)
class _Means:
    """What choices are made of."""

    host: str
    now: float
    fresh: Callable[[str], str]


def _sole_server_names(part: Part) -> Iterator[HostPattern]:
    """The patterns that the server name must match, where it must match that one."""
    for literal in part.place.literals:
        if literal.is_positive and isinstance(literal.condition, SniIn) and len(literal.condition.patterns) == 1:
            yield literal.condition.patterns[0]


def _points(point: Point, requests: Iterable[Request]) -> Iterator[Point]:
    return (replace(point, request=request) for request in requests)


def _first(points: Iterable[Point], asked: Sequence[Literal]) -> Point | None:
    return next((point for point in points if all(literal.holds(point) for literal in asked)), None)


def _methods(asked: Sequence[Condition], request: Request, means: _Means) -> Iterator[Request]:
    return (request._replace(method=method) for method in methods(asked, means.fresh))


def _headers(asked: Sequence[Condition], request: Request, means: _Means) -> Iterator[Request]:
    """Values of the one header that `asked` is about, beside the others of `request`."""
    name = header_name(asked[0]) or ""
    for values in header_values(asked, means.fresh):
        yield request._replace(headers={**request.headers, name: values} if values else request.headers)


def _by_header(asked: Sequence[Literal]) -> Iterable[list[Literal]]:
    """Headers do not get in each other's way, so one is chosen after the other."""
    found: dict[str, list[Literal]] = {}
    for literal in asked:
        found.setdefault(header_name(literal.condition) or "", []).append(literal)
    return [found[name] for name in sorted(found)]


def _sources(asked: Sequence[Condition], request: Request, means: _Means) -> Iterator[Request]:
    return (request._replace(source_ip=address) for address in sources(asked))


def _server_names(asked: Sequence[Condition], request: Request, means: _Means) -> Iterator[Request]:
    return (request._replace(sni=name) for name in server_names(asked, means.host, means.fresh))


def _times(asked: Sequence[Condition], request: Request, means: _Means) -> Iterator[Request]:
    return (request._replace(time=time) for time in times(asked, means.now))


_Choice = Callable[[Sequence[Condition], Request, _Means], Iterator[Request]]
#: Which conditions are about which field, and its values. Each condition is about one field.
_CHOICES: tuple[tuple[tuple[type[Condition], ...], _Choice], ...] = (
    ((MethodIn,), _methods),
    ((HeaderHas, GrpcContent), _headers),
    ((SourceIn,), _sources),
    ((SniIn, SniIsHost), _server_names),
    ((NotBefore, ClockIn), _times),
)


def _lengths(patterns: Iterable[SegmentPattern | None], deepest: int) -> list[int]:
    """The numbers of segments with which all patterns can match; if there is a choice, not the least first."""
    least, most = 1, deepest
    for pattern in patterns:
        if pattern is not None:
            least = max(least, len(pattern.segments))
            most = most if pattern.rest else min(most, len(pattern.segments))
    return sorted(range(least, most + 1), key=lambda length: (length != least + 1, length))
