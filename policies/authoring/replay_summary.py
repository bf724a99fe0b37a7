"""What a policy would have done to traffic: counts, and the decisions that would change, grouped by the rules behind.

Law kept here: memory does not grow with the traffic. Groups beyond MAX_CHANGE_GROUPS are counted and not kept.
"""

from dataclasses import dataclass, field

from policies.authoring.limits import MAX_CHANGE_EXAMPLES, MAX_CHANGE_GROUPS, MAX_EXAMPLE_CHARS, MAX_EXAMPLE_RULES
from policies.authoring.replay import Judged
from policies.peer.presented import AssertedIdentity, NoCertificate, Presented, PresentedCertificate
from policies.reason import Effect, Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as far as changes are grouped by it. `reason` is empty for what was decided before and did not say."""

    effect: str
    reason: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One line whose decision changes. `line` counts from 1; texts are cut at MAX_EXAMPLE_CHARS."""

    line: int
    decision_id: str
    time: str
    caller: str
    method: str
    host: str
    path: str


@dataclass(slots=True)
class Group:
    """Lines that change alike; the first of them as examples."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(slots=True)
class Summary:
    """What is known after `lines` lines.

    - `unreadable`: lines that hold no request; `first_unreadable`: number and problem of the first.
    - `undecided`: lines that carried no effect. `by_other_rules`: same effect as before, by other rules.
    - `groups`: (before, now) -> the lines that change so; `left_out`: changed lines whose group was not kept.
    """

    lines: int = 0
    allowed: int = 0
    denied: int = 0
    unreadable: int = 0
    first_unreadable: tuple[int, str] | None = None
    undecided: int = 0
    by_other_rules: int = 0
    widened: int = 0
    narrowed: int = 0
    left_out: int = 0
    groups: dict[tuple[Verdict, Verdict], Group] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """The lines whose effect changes."""
        return self.widened + self.narrowed

    def add(self, judged: Judged) -> None:
        """Count one more line."""
        self.lines += 1
        decision = judged.decision
        if decision.effect is Effect.ALLOW:
            self.allowed += 1
        else:
            self.denied += 1
        if judged.request is None:
            self.unreadable += 1
            if self.first_unreadable is None:
                self.first_unreadable = (self.lines, "; ".join(decision.problems))
        if judged.changed is None:
            self.undecided += 1
        elif judged.changed:
            self._add_change(judged)
        elif judged.fields.get("rules", list(decision.rules)) != list(decision.rules):
            self.by_other_rules += 1

    def sorted_groups(self) -> list[tuple[Verdict, Verdict, Group]]:
        """The groups, those that widen access first, then by their size."""
        found = [(before, now, group) for (before, now), group in self.groups.items()]
        return sorted(
            found, key=lambda each: (each[1].effect != Effect.ALLOW, -each[2].count, each[0].rules, each[1].rules)
        )

    def _add_change(self, judged: Judged) -> None:
        decision = judged.decision
        if decision.effect is Effect.ALLOW:
            self.widened += 1
        else:
            self.narrowed += 1
        now = Verdict(decision.effect.value, decision.reason.value, decision.rules)
        key = (_before(judged), now)
        group = self.groups.get(key)
        if group is None:
            if len(self.groups) >= MAX_CHANGE_GROUPS:
                self.left_out += 1
                return
            group = self.groups[key] = Group()
        group.count += 1
        if len(group.examples) < MAX_CHANGE_EXAMPLES:
            group.examples.append(_example(self.lines, judged))


def _before(judged: Judged) -> Verdict:
    fields = judged.fields
    reason = fields.get("reason")
    known = reason if isinstance(reason, str) and reason in tuple(Reason) else ""
    return Verdict(str(fields["effect"])[:MAX_EXAMPLE_CHARS], known, _texts(fields.get("rules")))


def _example(line: int, judged: Judged) -> Example:
    fields, request = judged.fields, judged.request
    time = fields.get("@timestamp", fields.get("time", ""))
    return Example(
        line,
        _cut(fields.get("decision_id", "")),
        _cut(time),
        _cut(caller_text(request.peer)) if request is not None else "",
        _cut(request.method) if request is not None else "",
        _cut(request.host) if request is not None else "",
        _cut(request.target) if request is not None else "",
    )


def caller_text(peer: Presented) -> str:
    """The first name that a caller has."""
    if isinstance(peer, NoCertificate):
        return "no certificate"
    if not isinstance(peer, AssertedIdentity | PresentedCertificate):
        return "an unreadable certificate"
    facts = peer.facts if isinstance(peer, AssertedIdentity) else peer.leaf.identity
    names = (*(facts.uri or ()), *(facts.dns or ()), *(facts.email or ()))
    return names[0] if names else facts.subject.text if facts.subject is not None else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_cut(item) for item in value[:MAX_EXAMPLE_RULES]) if isinstance(value, list) else ()


def _cut(value: object) -> str:
    return str(value)[:MAX_EXAMPLE_CHARS]
