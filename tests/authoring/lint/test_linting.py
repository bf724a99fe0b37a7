"""Findings as a whole, and what is new of them after an edit."""

from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.linting import new_findings
from policies.language.problem import Position


def finding(line: int, message: str = "`a` changes no verdict: `b` (p.yaml:4) denies all of it already") -> Finding:
    return Finding(Position("p.yaml", line, 3), LintCode.RULE_REDUNDANT, message)


def test_a_finding_whose_lines_moved_is_not_new() -> None:
    moved = "`a` changes no verdict: `b` (p.yaml:14) denies all of it already"
    assert list(new_findings([finding(3)], [finding(13, moved)])) == []


def test_a_finding_that_is_there_once_more_is_new_once() -> None:
    assert list(new_findings([finding(3)], [finding(3), finding(5)])) == [finding(5)]


def test_a_finding_about_another_rule_or_in_another_file_is_new() -> None:
    other = finding(3, "`c` changes no verdict: `b` (p.yaml:4) denies all of it already")
    elsewhere = Finding(Position("q.yaml", 3, 3), LintCode.RULE_REDUNDANT, finding(3).message)
    assert list(new_findings([finding(3)], [other, elsewhere])) == [other, elsewhere]
