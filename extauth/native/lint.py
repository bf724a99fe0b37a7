"""`policy check --native`: what makes Envoy ask peergate, where in the policy it stands, and how to write it otherwise.

Found by the same steps that the compiler takes, so that what is said here is what Envoy does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from extauth.native.admission import Admission, admission_from_policy
from extauth.native.callers import NativeCaller, NativeCallers, native_callers
from extauth.native.items import unsaid_of_rule
from extauth.native.limits import MAX_COMPARED_RULES
from extauth.native.mentioned import mentioned_by_policy
from extauth.native.report import HINTS, WORDS, rules_elsewhere
from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places, places_from_files
from policies.authoring.matrix.reach import ways_meet
from policies.engine.policy_set import PolicySet
from policies.engine.rule import Rule
from policies.language.problem import Position
from policies.reason import Effect

#: Routes and rules that a message names.
_NAMED = 5


def native_findings(policy: PolicySet, files: Mapping[str, bytes], time: float) -> tuple[Finding, ...]:
    """What makes Envoy ask at `time` (epoch seconds). `files`: those that `policy` was loaded from."""
    places = places_from_files(files)
    admission = admission_from_policy(policy, time)
    if isinstance(admission, str):
        return (_whole(_place_of_trust(places), admission),)
    if policy.strict_sni:
        stands = (file.strict_sni.at for file in places.documents if file.strict_sni is not None)
        return (_whole(next(stands, _beginning(places)), "strict_sni"),)
    mentioned = mentioned_by_policy(policy)
    callers = [native_callers(policy, entry, mentioned) for entry in admission.judged]
    elsewhere = _union(rules for _, rules in rules_elsewhere(policy, admission, mentioned))
    found = _Asking(policy, places, callers, elsewhere)
    complete = all(of_entry.complete for of_entry in callers)
    whole = () if complete else (_whole(_beginning(places), "many-callers"),)
    return (*whole, *_entries(admission, places), *found.identities(), *found.rules())


class _Asking:
    """What is asked of one policy of which Envoy decides a part."""

    def __init__(self, policy: PolicySet, places: Places, callers: Sequence[NativeCallers], elsewhere: int) -> None:
        """`callers`: of each trust entry that Envoy judges, at least one. `elsewhere`: the rules about all others."""
        self._elsewhere = elsewhere
        self._policy = policy
        self._places = places
        self._certified = tuple(caller for of_entry in callers for caller in of_entry.certified())
        self._classes = (*self._certified, callers[0].anonymous)
        self._labels = _route_labels(policy)
        self._meeting: dict[tuple[int, int], bool] = {}
        self._compared = 0

    def identities(self) -> Iterator[Finding]:
        """The named identities because of which callers are asked about, whatever they call."""
        for document in (entry for file in self._places.documents for entry in file.identities):
            name = document.name.text
            asked = [caller for caller in self._classes if name in caller.untold]
            if not asked:
                continue
            everybody = len(asked) >= len(self._certified) > 1
            whom = "every caller with a certificate" if everybody else self._whom(asked)
            message = f"Envoy asks about every request of {whom}: it cannot tell whether a caller is `{name}`"
            yield Finding(document.name.at, LintCode.NATIVE_CALLERS_ASKED, message, HINTS["identity"])

    def rules(self) -> Iterator[Finding]:
        """The rules because of which Envoy asks, beside those whose callers are asked about anyway."""
        beside = self._allowed_beside()
        known = _union(caller.allow | caller.deny for caller in self._classes)
        unclear = _union(caller.unsure | caller.missed for caller in self._classes)
        for position, rule in enumerate(self._policy.rules):
            why = "" if rule.shadow else self._why(rule, self._policy.bit(position), known, unclear)
            if not why:
                continue
            rivals = self._policy.rules_in(beside.get(position, 0))
            self._compared += len(rivals)
            if self._compared > MAX_COMPARED_RULES:
                message = f"`{rule.id}` makes Envoy ask, and too many rules are beside it to compare it with"
                yield Finding(self._places.rule(rule.id), LintCode.LINT_INCOMPLETE, message, HINTS[why])
            else:
                yield self._about(rule, why, [other for other in rivals if self._meet(rule, other)])

    def _about(self, rule: Rule, why: str, others: Sequence[Rule]) -> Finding:
        at = self._places.rule(rule.id)
        if not others:
            message = f"Envoy asks about the requests of `{rule.id}`, to {self._routes([rule])}: {WORDS[why]}"
            return Finding(at, LintCode.NATIVE_RULE_ASKED, message, HINTS[why])
        named = _few(f"`{other.id}`" for other in others)
        message = (
            f"because of `{rule.id}` Envoy asks about requests to {self._routes(others)}, "
            f"which {named} would let it decide by itself: {WORDS[why]}"
        )
        return Finding(at, LintCode.NATIVE_ROUTES_ASKED, message, HINTS[why])

    def _why(self, rule: Rule, bit: int, known: int, unclear: int) -> str:
        if unsaid := self._unsaid(rule):
            return unsaid
        if bit & unclear:
            named = {self._policy.identities[position].name for position in rule.callers}
            return "" if any(named.intersection(caller.untold) for caller in self._classes) else "identity"
        return "" if bit & (known | self._elsewhere) else "certificate"

    def _unsaid(self, rule: Rule) -> str:
        ways = (way for route in rule.routes for way in self._policy.routes[route].alternatives)
        return "headers" if any(way.headers for way in ways) else unsaid_of_rule(rule)

    def _allowed_beside(self) -> dict[int, int]:
        """For each rule that is asked about before any allow: what Envoy would allow the same callers by itself."""
        policy = self._policy
        asked = _union(policy.bit(n) for n, rule in enumerate(policy.rules) if self._unsaid(rule))
        first = asked & _union(policy.bit(n) for n, rule in enumerate(policy.rules) if _asks_first(rule))
        found: dict[int, int] = {}
        for caller in self._classes:
            allowed = caller.allow & ~asked
            asking = caller.unsure | ((caller.allow | caller.deny) & first)
            for position in policy.positions_in(asking) if allowed else ():
                found[position] = found.get(position, 0) | allowed
        return found

    def _meet(self, one: Rule, other: Rule) -> bool:
        if one.anywhere or other.anywhere:
            return True
        return any(self._routes_meet(mine, its) for mine in one.routes for its in other.routes)

    def _routes_meet(self, mine: int, its: int) -> bool:
        if (mine, its) not in self._meeting:
            ways = self._policy.routes[mine].alternatives, self._policy.routes[its].alternatives
            self._meeting[mine, its] = any(ways_meet(a, b) for a in ways[0] for b in ways[1])
        return self._meeting[mine, its]

    def _whom(self, asked: Iterable[NativeCaller]) -> str:
        rules = self._policy.rules_in(_union(c.allow | c.deny | c.unsure | c.missed for c in asked))
        return f"the callers of {_few(f'`{rule.id}`' for rule in rules)}" if rules else "callers that no rule is about"

    def _routes(self, rules: Iterable[Rule]) -> str:
        names = dict.fromkeys(
            "any route" if rule.anywhere else self._labels[route] for rule in rules for route in rule.routes or (-1,)
        )
        return _few(names)


def _entries(admission: Admission, places: Places) -> Iterator[Finding]:
    """The trust entries whose callers are asked about, whatever they call."""
    stands = {entry.name.text: entry.name.at for file in places.documents for entry in file.trust}
    for entry in admission.entries:
        if entry.asked:
            why = WORDS.get(entry.asked, entry.asked)
            message = f"Envoy asks about every request of the callers of trust entry `{entry.entry}`: {why}"
            yield Finding(stands[entry.entry], LintCode.NATIVE_CALLERS_ASKED, message, HINTS.get(entry.asked, ""))


def _whole(at: Position, why: str) -> Finding:
    whom = "every request" if why != "many-callers" else "every caller that no identity names in full"
    message = f"Envoy asks about {whom}: {WORDS.get(why, why)}"
    return Finding(at, LintCode.NATIVE_POLICY_ASKED, message, HINTS.get(why, ""))


def _asks_first(rule: Rule) -> bool:
    """Whether the rule, if it is asked about, is asked about before any allow (`extauth.native.items.Step`)."""
    return rule.effect is Effect.DENY or rule.set_headers != ()


def _beginning(places: Places) -> Position:
    return Position(places.documents[0].file, 0, 0)


def _place_of_trust(places: Places) -> Position:
    entries = [entry for file in places.documents for entry in file.trust]
    return entries[-1].name.at if entries else _beginning(places)


def _route_labels(policy: PolicySet) -> dict[int, str]:
    return {
        route: f"`{policy.routes[route].name}`" if policy.routes[route].name else f"the route of `{rule.id}`"
        for rule in policy.rules
        for route in rule.routes
    }


def _few(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    rest = iter(dict.fromkeys(names))
    shown = list(islice(rest, _NAMED))
    more = sum(1 for _ in rest)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _union(masks: Iterable[int]) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole
