"""The difference between two policies as GitHub-flavoured Markdown, for a comment on a pull request.

Law kept here: words of a policy stand in code spans or code blocks, so that none of them is markup or mentions anyone.
"""

from collections.abc import Iterable, Sequence

from peergate.console import plain
from peergate.reports.diff import Compared, groups_of, summary, trust_sentence, unproved_sentence
from peergate.reports.witness import verdict
from policies.authoring.diff.findings import Finding

#: Findings, and callers and places of one, that are spelled out: a comment on GitHub has at most 65 536 characters.
_MOST_FINDINGS = 50
_MOST = 10


def markdown_from_difference(compared: Compared) -> str:
    """The whole comment, ending in a line break."""
    found = compared.difference
    lines = [f"### Policy: {summary(found)}", "", f"{_code(compared.old)} → {_code(compared.new)}"]
    groups = groups_of(found)
    for findings in groups[:_MOST_FINDINGS]:
        lines += ["", *_findings(findings, compared)]
    left = len(groups) - _MOST_FINDINGS
    if left > 0:
        lines += ["", f"…and {left} more."]
    others = [*map(trust_sentence, found.trust), *map(unproved_sentence, found.unproved)]
    if others:
        lines += ["", *(f"- ❓ {_code(text)}" for text in others[:_MOST_FINDINGS])]
    return "\n".join([*lines, ""])


def _findings(findings: Sequence[Finding], compared: Compared) -> Iterable[str]:
    """Findings with one edit behind them, and the witness of the first."""
    finding = findings[0]
    mark, verb = ("🔓", "may now") if finding.widening else ("🔒", "may no longer")
    said = [f"{_codes(one.callers)} **{verb}** {_codes(one.places)}" for one in findings[:_MOST]]
    left = len(findings) - _MOST
    yield f"- {mark} {'<br>'.join([*said, *([f'and {left} more'] if left > 0 else [])])}"
    yield f"  <br>{_code(finding.because)}"
    yield "  <details><summary>A request that shows it</summary>"
    yield ""
    yield "  ```sh"
    yield f"  {plain(compared.call(finding))}"
    yield f"  # old: {plain(verdict(finding.witness.old))}"
    yield f"  # new: {plain(verdict(finding.witness.new))}"
    yield "  ```"
    yield "  </details>"


def _codes(words: tuple[str, ...]) -> str:
    more = len(words) - _MOST
    return ", ".join([*map(_code, words[:_MOST]), *([f"{more} more"] if more > 0 else [])])


def _code(text: str) -> str:
    """`text` as a code span, whatever it holds (CommonMark §6.1)."""
    longest = run = 0
    for character in plain(text):
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return f"{fence}{blank}{plain(text)}{blank}{fence}"
