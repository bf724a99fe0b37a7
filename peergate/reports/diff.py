"""The difference between two policies: for people, and as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from peergate.console import print_facts, stdout, styled
from peergate.reports.witness import explain_call, lines_of_witness, verdict
from policies.authoring.diff.comparison import Comparison, Unproved
from policies.authoring.diff.findings import Difference, Finding
from policies.authoring.diff.trust_changes import TrustChange
from policies.authoring.replay import answer_from_decision

#: Callers or places of one finding that are spelled out in text, and findings.
_MOST = 5
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Compared:
    """Two policies, as the user names them, and what differs. `tried`: the one that a path names, for `explain`."""

    old: str
    new: str
    tried: str
    comparison: Comparison
    difference: Difference

    def call(self, finding: Finding) -> str:
        """The command line that shows how the policy at `tried` decides the witness."""
        return explain_call(finding.witness, self.comparison, self.tried, under_new=self.tried == self.new)


def summary(difference: Difference) -> str:
    """One sentence."""
    if difference.is_empty:
        return "No change: both policies decide every request alike."
    wider = sum(1 for finding in difference.findings if finding.widening)
    narrower = len(difference.findings) - wider
    parts = [f"{number} {word}" for number, word in ((wider, "wider"), (narrower, "narrower")) if number]
    if difference.trust:
        parts.append(f"{len(difference.trust)} in who may vouch for callers")
    if difference.unproved:
        parts.append(f"{len(difference.unproved)} not proved equal")
    verb = "Access widens" if wider else "Access may widen" if difference.may_widen else "Access only narrows"
    return f"{verb}: {', '.join(parts)}."


def groups_of(difference: Difference) -> list[list[Finding]]:
    """Findings that one edit of a rule is behind, together: a deny rule that is gone may free many allow rules."""
    groups: dict[tuple[bool, str], list[Finding]] = {}
    for finding in difference.findings:
        groups.setdefault((finding.widening, finding.because), []).append(finding)
    return list(groups.values())


def sentence(finding: Finding) -> str:
    """Who may now, or may no longer, do what."""
    verb = "may now" if finding.widening else "may no longer"
    return f"{_listed(finding.callers, ' or ')} {verb} {_listed(finding.places, '; ')}"


def trust_sentence(change: TrustChange) -> str:
    """A change of an entry, and what it may do."""
    effects = [word for word, holds in (("widen", change.widens), ("narrow", change.narrows)) if holds]
    return f"trust {change.entry}: {change.text}; may {' and '.join(effects)}"


def unproved_sentence(unproved: Unproved) -> str:
    """What is not known, and why."""
    which = "wider" if unproved.widening else "narrower"
    about = f"{' with '.join(unproved.rules)} is not {which}" if unproved.rules else f"access is not {which}"
    return f"not proved that {about}: {unproved.doubt.value}"


def print_difference(compared: Compared) -> None:
    """The summary, then each finding with what was edited and a witness."""
    console, found = stdout(), compared.difference
    colour = "green" if found.is_empty else "bold red" if found.may_widen else "bold yellow"
    console.print(styled((summary(found), colour)), soft_wrap=True)
    groups = groups_of(found)
    for findings in groups[:_MOST_FINDINGS]:
        console.print()
        _print_findings(console, findings, compared)
    left = len(groups) - _MOST_FINDINGS
    if left > 0:
        console.print()
        console.print(styled((f"and {left} more; --format json has all", "bold")), soft_wrap=True)
    others = [*map(trust_sentence, found.trust), *map(unproved_sentence, found.unproved)]
    if others:
        console.print()
        for text in others:
            console.print(styled(("? ", "bold yellow"), text), soft_wrap=True)


def _print_findings(console: Console, findings: Sequence[Finding], compared: Compared) -> None:
    """Findings with one edit behind them: the first ones, and the witness of the first."""
    first = findings[0]
    mark, colour = ("+ ", "bold red") if first.widening else ("- ", "bold yellow")
    for finding in findings[:_MOST]:
        console.print(styled((mark, colour), (sentence(finding), "bold")), soft_wrap=True)
    if len(findings) > _MOST:
        console.print(styled((f"{mark}and {len(findings) - _MOST} more", colour)), soft_wrap=True)
    print_facts(console, _facts(first), indent=2)
    # One line, so that it can be copied whatever the width of the terminal.
    console.print(styled("  ", ("try      ", "dim"), compared.call(first)), soft_wrap=True)


def _facts(finding: Finding) -> Iterable[tuple[Text | str, Text | str]]:
    yield "because", finding.because
    yield "old", verdict(finding.witness.old)
    yield "new", verdict(finding.witness.new)


def _listed(words: tuple[str, ...], separator: str) -> str:
    shown = words[:_MOST]
    more = len(words) - len(shown)
    return separator.join([*shown, f"{more} more"] if more else shown)


def json_from_difference(compared: Compared) -> str:
    """Everything, with every witness as a line for `policy replay`."""
    found, comparison = compared.difference, compared.comparison
    answer = {
        "equal": found.is_empty,
        "may_widen": found.may_widen,
        "may_narrow": found.may_narrow,
        "old": {"policy": compared.old, "generation": comparison.old.policy.generation},
        "new": {"policy": compared.new, "generation": comparison.new.policy.generation},
        "changes": [_change(finding, compared) for finding in found.findings],
        "trust": [
            {"entry": change.entry, "change": change.text, "may_widen": change.widens, "may_narrow": change.narrows}
            for change in found.trust
        ],
        "unproved": [
            {
                "direction": _direction(widening=unproved.widening),
                "rules": list(unproved.rules),
                "why": unproved.doubt.value,
            }
            for unproved in found.unproved
        ],
    }
    return json.dumps(answer, indent=2)


def _change(finding: Finding, compared: Compared) -> dict[str, object]:
    old, new = lines_of_witness(finding.witness, compared.comparison)
    return {
        "direction": _direction(widening=finding.widening),
        "allow_rule": finding.allow,
        "deny_rule": finding.deny or None,
        "because": finding.because,
        "callers": list(finding.callers),
        "requests": list(finding.places),
        "old": {"witness": old, **answer_from_decision(finding.witness.old)},
        "new": {"witness": new, **answer_from_decision(finding.witness.new)},
        "explain": compared.call(finding),
    }


def _direction(*, widening: bool) -> str:
    return "wider" if widening else "narrower"
