"""The summary of a replay, as text and JSON."""

import json
from dataclasses import asdict

from rich.console import Console

from peergate.console import print_facts, print_wrapped, styled
from policies.authoring.replay_summary import Example, Group, Summary, Verdict
from policies.reason import Effect

#: Groups that are written for people; JSON has all that were kept.
_SHOWN_GROUPS = 20


def json_from_summary(summary: Summary, generation: str) -> str:
    """Counts, and every group that was kept."""
    unreadable = summary.first_unreadable
    return json.dumps(
        {
            "generation": generation,
            "lines": summary.lines,
            "allowed": summary.allowed,
            "denied": summary.denied,
            "changed": {"deny_to_allow": summary.widened, "allow_to_deny": summary.narrowed},
            "by_other_rules": summary.by_other_rules,
            "without_earlier_effect": summary.undecided,
            "unreadable": summary.unreadable,
            "first_unreadable": {"line": unreadable[0], "problem": unreadable[1]} if unreadable else None,
            "groups": [
                {
                    "count": group.count,
                    "before": asdict(before),
                    "now": asdict(now),
                    "examples": [asdict(example) for example in group.examples],
                }
                for before, now, group in summary.sorted_groups()
            ],
            "left_out": summary.left_out,
        },
        indent=2,
    )


def print_summary(console: Console, summary: Summary, generation: str) -> None:
    """What changes, the largest groups first, each with its first lines."""
    groups = summary.sorted_groups()
    for before, now, group in groups[:_SHOWN_GROUPS]:
        _print_group(console, before, now, group)
    rest = sum(group.count for _, _, group in groups[_SHOWN_GROUPS:]) + summary.left_out
    if rest:
        print_wrapped(console, styled(f"… and {rest:,} more in groups that are not shown; --format json has more"))
        console.print()
    said = f"{summary.changed:,} of {summary.lines - summary.undecided:,} decisions would change"
    console.print(styled((said, "bold yellow" if summary.changed else "green")))
    facts = [
        ("deny -> allow", f"{summary.widened:,}"),
        ("allow -> deny", f"{summary.narrowed:,}"),
        ("same by other rules", f"{summary.by_other_rules:,}"),
        ("allowed by this policy", f"{summary.allowed:,}"),
        ("denied by this policy", f"{summary.denied:,}"),
    ]
    if summary.undecided:
        facts.append(("without an earlier effect", f"{summary.undecided:,}"))
    if summary.first_unreadable is not None:
        number, problem = summary.first_unreadable
        facts.append(("unreadable, so denied", f"{summary.unreadable:,}, first line {number:,}: {problem}"))
    facts.append(("generation", generation))
    print_facts(console, facts, indent=2)


def _print_group(console: Console, before: Verdict, now: Verdict, group: Group) -> None:
    style = "red" if now.effect == Effect.ALLOW else "yellow"
    print_wrapped(console, styled((f"{group.count:,}", "bold"), "  ", (f"{_said(before)} -> {_said(now)}", style)))
    print_facts(console, [(f"line {example.line:,}", _example(example)) for example in group.examples], indent=2)
    console.print()


def _said(verdict: Verdict) -> str:
    if verdict.rules:
        return f"{verdict.effect} by {', '.join(verdict.rules)}"
    return f"{verdict.effect}{f' because {verdict.reason}' if verdict.reason else ''}"


def _example(example: Example) -> str:
    parts = (example.time, example.caller, example.method, f"{example.host}{example.path}", example.decision_id)
    return "  ".join(part for part in parts if part)
