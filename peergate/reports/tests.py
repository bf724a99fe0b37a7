"""Results of policy tests: as text, JSON, JUnit XML, and annotations of GitHub Actions."""

import json
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table
from rich.text import Text

from peergate.console import plain, print_facts, stdout, styled
from peergate.reports.explain import nearest_text, traced_facts, traced_object
from peergate.reports.problems import github_annotation
from policies.authoring.coverage import Coverage
from policies.authoring.explain import explanation_from_decision
from policies.authoring.suite import Suite
from policies.authoring.testing import Report, Result
from policies.authoring.trace import trace_from_decision
from policies.engine.decision import Decision
from policies.engine.policy_set import PolicySet

#: Rules that a failure shows with what they lack: the nearest ones.
_MAX_TRACED = 4


def outcome(decision: Decision) -> str:
    """A decision as an `expect` would have it: `deny by pci-only because denied_by_rule`."""
    rules = f" by {', '.join(decision.rules)}" if decision.rules else ""
    return f"{decision.effect}{rules} because {decision.reason}"


def print_report(policy: PolicySet, suites: Sequence[Suite], report: Report, most: int | None = None) -> None:
    """Every failure with what came instead and why, then the count, and the rules and routes that no test reached.

    `most`: failures that are shown.
    """
    console = stdout()
    for result in report.failures[:most]:
        _print_failure(console, policy, result)
    if most is not None and len(report.failures) > most:
        console.print(styled((f"and {len(report.failures) - most} more failures", "red")))
        console.print()
    console.print(_table(suites, report))
    console.print()
    total, failed = len(report.results), len(report.failures)
    if failed:
        console.print(styled((f"{failed} of {total} requests decided otherwise than expected.", "bold red")))
    else:
        console.print(styled((f"{total} of {total} requests decided as expected.", "green")))
    for what, found in (("rules", report.rules), ("routes", report.routes)):
        said = f"{len(found.names) - len(found.unreached)} of {len(found.names)} {what} reached by a test"
        missing = f"; not reached: {', '.join(found.unreached)}" if found.unreached else ""
        console.print(styled(f"{said}", (missing, "yellow"), "."), soft_wrap=True)


def _table(suites: Sequence[Suite], report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("tests of", overflow="fold")
    for name in ("tests", "requests", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    for suite in suites:
        failed = sum(1 for result in report.failures if result.case.at.file == suite.file)
        tests = len({case.at for case in suite.cases})
        table.add_row(
            plain(suite.file), str(tests), str(len(suite.cases)), Text(str(failed), "bold red" if failed else "")
        )
    return table


def _print_failure(console: Console, policy: PolicySet, result: Result) -> None:
    case, decision = result.case, result.decision
    explanation = explanation_from_decision(policy, case.request, decision)
    place = f"{case.at.file}:{case.at.line}:{case.at.column}"
    console.print(styled(("FAIL ", "bold red"), place, (f"  {case.test}", "bold")), soft_wrap=True)
    facts: list[tuple[str, Text | str]] = [
        ("caller", case.caller),
        ("request", case.line),
        ("expected", styled((str(case.expected), "green"))),
        ("decided", styled((outcome(decision), "red"))),
    ]
    if decision.problems or not decision.rules:
        facts.append(("why", explanation.verdict))
    facts += [("unknown", note) for note in decision.unknown]
    trace = trace_from_decision(policy, case.request, decision)
    nearest = nearest_text(trace)
    facts += [("nearest", nearest)] if nearest else []
    facts += [("next", explanation.advice)] if explanation.advice else []
    print_facts(console, facts, indent=5)
    if trace.rules:
        console.print("     rules about this caller or this route that did not match:")
        print_facts(console, traced_facts(trace, _MAX_TRACED), indent=7)
    console.print()


def json_from_report(policy: PolicySet, report: Report) -> str:
    """Every result, and the coverage of rules."""
    return json.dumps(
        {
            "ok": report.passed,
            "generation": policy.generation,
            "requests": len(report.results),
            "failed": len(report.failures),
            "results": [_result_object(policy, result) for result in report.results],
            "coverage": {
                "rules": len(report.rules.names),
                "unreached": list(report.rules.unreached),
                "routes": len(report.routes.names),
                "unreached_routes": list(report.routes.unreached),
            },
        },
        indent=2,
    )


def _result_object(policy: PolicySet, result: Result) -> dict[str, object]:
    case, decision = result.case, result.decision
    found: dict[str, object] = {
        "passed": result.passed,
        "test": case.test,
        "file": case.at.file,
        "line": case.at.line,
        "column": case.at.column,
        "as": case.caller,
        "request": case.line,
        "expected": str(case.expected),
        "effect": decision.effect.value,
        "reason": decision.reason.value,
        "rules": list(decision.rules),
    }
    if not result.passed:
        found["explanation"] = explanation_from_decision(policy, case.request, decision).verdict
        trace = trace_from_decision(policy, case.request, decision)
        found["unmatched"] = [traced_object(rule) for rule in trace.rules[:_MAX_TRACED]]
    return found


def junit_from_report(policy: PolicySet, suites: Sequence[Suite], report: Report, fail_under: int) -> str:
    """JUnit XML as CI systems read it: a testsuite for each file, a testcase for each request; one for the coverage.

    `fail_under`: percent of the rules, and of the routes, below which the coverage fails.
    """
    short = dict(report.short_of(fail_under))
    root = ET.Element(
        "testsuites",
        name="peergate policy test",
        tests=str(len(report.results) + 2),
        failures=str(len(report.failures) + len(short)),
    )
    for suite in suites:
        results = [result for result in report.results if result.case.at.file == suite.file]
        failed = sum(1 for result in results if not result.passed)
        element = ET.SubElement(
            root, "testsuite", name=_xml(suite.file), tests=str(len(results)), failures=str(failed), errors="0"
        )
        for result in results:
            _add_testcase(element, policy, result)
    coverage = ET.SubElement(root, "testsuite", name="coverage", tests="2", failures=str(len(short)), errors="0")
    for what, found in (("rules", report.rules), ("routes", report.routes)):
        _add_coverage(coverage, what, found, fail_under if what in short else None)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written.decode()


def _add_testcase(suite: ET.Element, policy: PolicySet, result: Result) -> None:
    case = result.case
    title = f"{case.test}: " if case.test else ""
    testcase = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(case.at.file),
        name=_xml(f"{title}{case.caller} {case.line}"),
        file=_xml(case.at.file),
        line=str(case.at.line),
    )
    if not result.passed:
        message = f"expected {case.expected}, decided {outcome(result.decision)}"
        failure = ET.SubElement(testcase, "failure", message=_xml(message), type="decision")
        failure.text = _xml(explanation_from_decision(policy, case.request, result.decision).verdict)


def _add_coverage(suite: ET.Element, what: str, found: Coverage, missed: int | None) -> None:
    """`missed`: the percentage that is not reached, if it is not."""
    testcase = ET.SubElement(suite, "testcase", classname="coverage", name=f"{what} reached by a test")
    said = f"{len(found.names) - len(found.unreached)} of {len(found.names)} {what} reached by a test"
    unreached = f"; not reached: {', '.join(found.unreached)}" if found.unreached else ""
    if missed is not None:
        failure = ET.SubElement(testcase, "failure", message=_xml(f"{said}, not {missed} %"), type="coverage")
        failure.text = _xml(said + unreached)
    else:
        ET.SubElement(testcase, "system-out").text = _xml(said + unreached)


def _xml(text: str) -> str:
    """XML 1.0 has no way to write most control characters; they become escapes that people can read."""
    return plain(text)


def github_from_report(policy: PolicySet, report: Report) -> Iterable[str]:
    """An error on the line of each failing test, notices for the rules and routes that no test reached."""
    for result in report.failures:
        case = result.case
        verdict = explanation_from_decision(policy, case.request, result.decision).verdict
        message = f"{case.caller} {case.line}: expected {case.expected}, decided {outcome(result.decision)}. {verdict}"
        yield github_annotation(
            "error", case.at.file, case.at.line, case.at.column, case.test or "policy test", message
        )
    for what, found in (("rules", report.rules), ("routes", report.routes)):
        if found.unreached:
            yield f"::notice title={what} that no test reached::{', '.join(found.unreached)}"
