"""Changes as people review them: grouped by rule, one line for each set, with what was edited and one witness."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.authoring.diff.callers_of_change import Callers, common_place
from policies.authoring.diff.comparison import Change, Comparison, Unproved
from policies.authoring.diff.edits import Edits
from policies.authoring.diff.limits import MAX_CHANGES_OF_PAIR
from policies.authoring.diff.parts import Place
from policies.authoring.diff.search import Witness
from policies.authoring.diff.trust_changes import TrustChange, trust_changes
from policies.authoring.diff.wording import place_texts


@dataclass(frozen=True, slots=True)
class Finding:
    """Requests that one policy allows and the other denies. `widening`: the new one allows them.

    `callers` and `places`: every one of these callers at every one of these places. `allow` is the rule that allows
    them, `deny` the one that denies them in the other policy, empty if nothing allows them there. `because`: what was
    edited. `witness` is one of them.
    """

    widening: bool
    allow: str
    deny: str
    callers: tuple[str, ...]
    places: tuple[str, ...]
    because: str
    witness: Witness


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs between two policies. Nothing = they decide every request alike, which is then proved."""

    findings: tuple[Finding, ...]
    trust: tuple[TrustChange, ...]
    unproved: tuple[Unproved, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the policies are proved to be equal."""
        return not (self.findings or self.trust or self.unproved)

    @property
    def may_widen(self) -> bool:
        """Whether anything is or may be allowed that was not."""
        return (
            any(finding.widening for finding in self.findings)
            or any(change.widens for change in self.trust)
            or any(unproved.widening for unproved in self.unproved)
        )

    @property
    def may_narrow(self) -> bool:
        """Whether anything is or may be denied that was not."""
        return (
            any(not finding.widening for finding in self.findings)
            or any(change.narrows for change in self.trust)
            or any(not unproved.widening for unproved in self.unproved)
        )


def difference(comparison: Comparison) -> Difference:
    """What `comparison` finds."""
    compared = comparison.compared()
    names = {pair.key: entry.name for pair in comparison.pairs if (entry := pair.new or pair.old) is not None}
    groups: dict[tuple[bool, str, str], list[Change]] = {}
    findings: list[Finding] = []
    for change in compared.changes:
        if change.strict_sni:
            findings.append(_loosened(change))
        else:
            deny = "" if change.deny is None else change.deny.rule.id
            groups.setdefault((change.widening, change.allow.rule.id, deny), []).append(change)
    edits = Edits(comparison, names)
    for changes in groups.values():
        findings += _findings(changes, Callers(changes, comparison, names), edits)
    findings.sort(key=lambda finding: not finding.widening)
    return Difference(tuple(findings), trust_changes(comparison.pairs), compared.unproved)


def _loosened(change: Change) -> Finding:
    return Finding(
        change.widening,
        change.allow.rule.id,
        "",
        ("every caller",),
        ("be served under a TLS server name that is not the host",),
        f"strict_sni {'no longer' if change.widening else 'now'} set",
        change.witness,
    )


def _findings(changes: Sequence[Change], callers_of: Callers, edits: Edits) -> Iterable[Finding]:
    """The changes of one pair of rules: callers with the same places together."""
    places: dict[str, dict[Place, Change]] = {}
    for change in changes:
        found = places.setdefault(callers_of.text(change), {})
        found.setdefault(change.allow.place if change.deny is None else common_place(change), change)
    first = changes[0]
    more = ("more of both rules",) if first.deny is not None and len(changes) >= MAX_CHANGES_OF_PAIR else ()
    together: dict[frozenset[Place], list[str]] = {}
    for who, found in places.items():
        together.setdefault(frozenset(found), []).append(who)
    for callers in together.values():
        found = places[callers[0]]
        first = next(iter(found.values()))
        yield Finding(
            first.widening,
            first.allow.rule.id,
            "" if first.deny is None else first.deny.rule.id,
            tuple(callers),
            (*place_texts(found), *more),
            edits.behind(first),
            first.witness,
        )
