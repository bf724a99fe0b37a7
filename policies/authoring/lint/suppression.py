"""`# peergate: ignore[code] reason`: at the end of the line of a finding, or alone on the line above it.

A reason is mandatory: without one nothing is suppressed. What suppresses nothing is reported, so that it does not
outlive what it was written for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.authoring.lint.finding import Finding, LintCode
from policies.language.problem import Position

_SUPPRESSION = re.compile(r"(?P<before>^|.*?\s)#\s*peergate:\s*ignore\[(?P<codes>[^\]]*)\](?P<reason>.*)")
#: What a suppression must not hide: that it is no good itself.
_UNSUPPRESSIBLE = frozenset({LintCode.SUPPRESSION_UNUSED, LintCode.SUPPRESSION_WITHOUT_REASON})


@dataclass(frozen=True, slots=True)
class Suppression:
    """One code on one line; `line` is the line that it speaks for, `at` where it is written."""

    at: Position
    line: int
    code: str
    reason: str


def suppressions_from_text(file: str, text: str) -> Iterable[Suppression]:
    """Every suppression in a policy file."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        match = _SUPPRESSION.fullmatch(line.rstrip("\r"))
        if match is None:
            continue
        line_meant = number if match["before"].strip() else _next_content(lines, number)
        at = Position(file, number, match.end("before") + 1)
        for code in match["codes"].split(","):
            yield Suppression(at, line_meant, code.strip(), match["reason"].strip())


def unsuppressed(
    findings: Iterable[Finding], files: Mapping[str, bytes], unsought: frozenset[LintCode] = frozenset()
) -> tuple[Finding, ...]:
    """The findings that no suppression takes away, and those about suppressions; sorted.

    `unsought`: codes that were not looked for, so that nobody knows whether their suppressions are of use.
    """
    suppressions = [
        item for file, data in files.items() for item in suppressions_from_text(file, data.decode("utf-8", "replace"))
    ]
    reasoned = {(item.at.file, item.line, item.code) for item in suppressions if item.reason}
    used: set[tuple[str, int, str]] = set()
    kept: list[Finding] = []
    for finding in findings:
        key = (finding.at.file, finding.at.line, str(finding.code))
        if key in reasoned and finding.code not in _UNSUPPRESSIBLE:
            used.add(key)
        else:
            kept.append(finding)
    kept += [found for item in suppressions for found in _about(item, used, unsought)]
    return tuple(sorted(kept))


def _about(item: Suppression, used: set[tuple[str, int, str]], unsought: frozenset[LintCode]) -> Iterable[Finding]:
    if not item.reason:
        message = f"`ignore[{item.code}]` gives no reason, so it suppresses nothing"
        yield Finding(item.at, LintCode.SUPPRESSION_WITHOUT_REASON, message, "write the reason behind the bracket")
    elif item.code not in unsought and (item.at.file, item.line, item.code) not in used:
        known = item.code in set(LintCode)
        message = (
            f"there is no `{item.code}` on line {item.line} to ignore" if known else f"no finding is `{item.code}`"
        )
        yield Finding(item.at, LintCode.SUPPRESSION_UNUSED, message, "take the comment out")


def _next_content(lines: list[str], number: int) -> int:
    """The line after `number` that is neither blank nor a comment: suppressions may stand in a block of comments."""
    for later in range(number, len(lines)):
        stripped = lines[later].strip()
        if stripped and not stripped.startswith("#"):
            return later + 1
    return number + 1
