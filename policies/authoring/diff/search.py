"""Whether a request exists at which given parts hold and nothing stands in the way, and one if it does.

The search asks the engine, so a witness is real by construction. Where the engine says that another rule stands in the
way, some condition of that rule must be otherwise: each is tried. Words need no trying, as those of a point are the
most general ones (`words`); so when everything was tried, no request of that shape exists, and shapes are few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from policies.authoring.diff.disagreement import depends_on_caller
from policies.authoring.diff.limits import MAX_POINTS, MAX_POINTS_OF_QUESTION
from policies.authoring.diff.literal import CallerIs, ClockIn, Literal, Literals, Point, SniIn, SniIsHost
from policies.authoring.diff.pairing import EntryPair
from policies.authoring.diff.parts import Part, PolicyParts, RuleParts
from policies.authoring.diff.points import Found, Points, Shape
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.request import Request
from policies.engine.selector import DnsIs, EmailIs, UriIs
from policies.engine.truth import SATISFIED, TRUE, UNSATISFIED, Solutions, joined
from policies.peer.presented import AssertedIdentity
from policies.reason import Reason


class Doubt(Enum):
    """Why it is not known that there is no request."""

    TOO_MANY = "too many rules overlap to try every combination"
    NOT_BLOCKED = "no single rule was found to stand in the way"
    SERVER_NAMES = "with strict_sni, a long list of server names is not compared with hosts one by one"
    TIME_ZONES = "daily windows of different time zones are compared for one year only"
    HEADERS = "whether rules set one header to different values depends on the caller"
    OPEN_URIS = "several URI patterns ending in ** are compared for equal lengths only"


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that the two policies decide otherwise. The caller's `trust` names paired entries."""

    found: Found
    old: Decision
    new: Decision


@dataclass(frozen=True, slots=True)
class Answer:
    """A witness, or none: proved if `doubts` is empty."""

    witness: Witness | None
    doubts: frozenset[Doubt]


class Search:
    """Looks for requests that `better` allows and `worse` denies."""

    def __init__(self, points: Points, pairs: Sequence[EntryPair], old: PolicyParts, new: PolicyParts) -> None:
        self._points = points
        self._old, self._new = old, new
        self._trust_names = tuple(
            {pair.key: entry.name for pair in pairs if (entry := getattr(pair, side)) is not None}
            for side in ("old", "new")
        )
        self.decided = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether as many requests were decided as are to be, so that no more can be asked."""
        return self.decided >= MAX_POINTS

    def requests(self, point: Point) -> tuple[Request, Request]:
        """The request at `point`, for the old and for the new policy."""
        old, new = (_request_under(point.request, names, point.caller.trust) for names in self._trust_names)
        return old, new

    def ask(self, parts: Sequence[Part], *, widening: bool) -> Answer:
        """A request at which `parts` hold, allowed by the new policy only (`widening`), or by the old one only."""
        return _Question(self, parts, widening=widening).answer()

    def holds(self, parts: Sequence[Part]) -> bool:
        """Whether a request exists at which `parts` hold, whatever other rules say."""
        return any(self._points.point(parts, (), shape) is not None for shape in self._points.shapes(parts))

    def decisions(self, point: Point) -> tuple[Decision, Decision]:
        """What both policies decide at `point`."""
        self.decided += 1
        old, new = self.requests(point)
        return evaluate(self._old.policy, old), evaluate(self._new.policy, new)


class _Question:
    """One question: which points were tried, and what is in doubt."""

    def __init__(self, search: Search, parts: Sequence[Part], *, widening: bool) -> None:
        self._search = search
        self._parts = parts
        self._widening = widening
        self._doubts: set[Doubt] = set()
        self._tried = 0

    def answer(self) -> Answer:
        """The answer."""
        for shape in self._search._points.shapes(self._parts):
            witness = self._in_shape(shape)
            if witness is not None:
                return Answer(witness, frozenset())
            if Doubt.TOO_MANY in self._doubts:
                break
        return Answer(None, frozenset(self._doubts))

    def _in_shape(self, shape: Shape) -> Witness | None:
        open_: list[Literals] = [frozenset()]
        seen = set(open_)
        while open_:
            extra = open_.pop()
            found = self._search._points.point(self._parts, extra, shape)
            if found is None:
                self._note_unsure(extra)
                continue
            if self._tried >= MAX_POINTS_OF_QUESTION or self._search.is_exhausted:
                self._doubts.add(Doubt.TOO_MANY)
                return None
            self._tried += 1
            old, new = self._search.decisions(found.point)
            if new.allowed is self._widening and old.allowed is not self._widening:
                return Witness(found, old, new)
            for literal in self._ways_out(found.point, old, new):
                further = extra | {literal}
                if further not in seen:
                    seen.add(further)
                    open_.append(further)
        return None

    def _ways_out(self, point: Point, old: Decision, new: Decision) -> list[Literal]:
        """Conditions of what stands in the way, each as it must be for that not to match."""
        better, worse = (new, old) if self._widening else (old, new)
        if not better.allowed:
            blocking, parts = better, self._search._new if self._widening else self._search._old
        else:
            blocking, parts = worse, self._search._old if self._widening else self._search._new
        disagreeing = bool(blocking.problems) and blocking.reason is Reason.DENIED_BY_RULE
        rules = [parts.rules[rule_id] for rule_id in blocking.rules if rule_id in parts.rules]
        if disagreeing:
            rules = [rule for rule in rules if rule.rule.set_headers]
            if any(depends_on_caller(rule.rule) for rule in rules):
                self._doubts.add(Doubt.HEADERS)
        strict = parts.policy.strict_sni
        standing = [matching_part(point, rule, strict=strict) for rule in (rules if disagreeing else rules[:1])]
        if not standing or None in standing:
            self._doubts.add(Doubt.NOT_BLOCKED)
            return []
        literals = [literal for part in standing if part is not None for literal in sorted(part.literals, key=repr)]
        return [literal.negated() for literal in literals if _counts(literal, strict) and not _is_most_general(literal)]

    def _note_unsure(self, extra: Literals) -> None:
        """What the choice of values may have missed (see `circumstances.times` and `callers.name_wishes`)."""
        literals = extra.union(*(part.literals for part in self._parts))
        zones = {str(item.condition.timezone) for item in literals if isinstance(item.condition, ClockIn)}
        if len(zones) > 1:
            self._doubts.add(Doubt.TIME_ZONES)
        if any(isinstance(item.condition, SniIn) and len(item.condition.patterns) > 1 for item in literals):
            self._doubts.add(Doubt.SERVER_NAMES)
        uris = [
            item.condition.selector
            for item in literals
            if item.is_positive and isinstance(item.condition, CallerIs) and isinstance(item.condition.selector, UriIs)
        ]
        if sum(1 for selector in uris if selector.trust is None and selector.pattern.rest) > 1:
            self._doubts.add(Doubt.OPEN_URIS)


def matching_part(point: Point, rule: RuleParts, *, strict: bool = True) -> Part | None:
    """The first alternative of `rule` that matches at `point`; unless `strict`, whatever the server name."""
    places = [
        place
        for place in rule.places
        if all(literal.holds(point) for literal in place.literals if _counts(literal, strict))
    ]
    for caller, identity in rule.callers.items():
        if all(literal.holds(point) for literal in caller):
            for place in places:
                part = Part(rule.rule, identity, caller, place)
                if _names_agree(point, part):
                    return part
    return None


def _names_agree(point: Point, part: Part) -> bool:
    """Whether host and path match, and every name in braces has one value in the whole alternative."""
    solutions: Solutions = SATISFIED
    host, path = part.place.labels, part.place.path
    for bound in (
        {} if host is None else host.bound(_labels(point.host)),
        {} if path is None else path.bound(point.segments),
    ):
        solutions = UNSATISFIED if bound is None else joined(solutions, ((TRUE, bound),))
        if not solutions:
            return False
    for literal in part.caller:
        if literal.is_positive and isinstance(literal.condition, CallerIs):
            solutions = joined(solutions, literal.condition.selector.solutions(point.caller))
    return bool(solutions)


def _labels(host: str) -> tuple[str, ...]:
    return (host,) if host[0] == "[" else tuple(reversed(host.split(".")))


def _counts(literal: Literal, strict: bool) -> bool:
    """Whether the policy asks for it: that the server name is the host, only if it is strict."""
    return strict or not isinstance(literal.condition, SniIsHost)


def _is_most_general(literal: Literal) -> bool:
    """Whether the names of a point match this only because every other choice would too."""
    selector = literal.condition.selector if isinstance(literal.condition, CallerIs) else None
    return literal.is_positive and isinstance(selector, UriIs | DnsIs | EmailIs)


def _request_under(request: Request, names: Mapping[str, str], trust: frozenset[str]) -> Request:
    if not isinstance(request.peer, AssertedIdentity):
        return request
    known = frozenset(names[key] for key in trust if key in names)
    key = request.peer.key + repr(sorted(known)).encode()
    return request._replace(peer=AssertedIdentity(request.peer.facts, known, key))
