"""`peergate policy check`: every problem of a policy, or what it holds and what the linter finds."""

import json
import time
from collections.abc import Sequence

from extauth.native.lint import native_findings
from peergate.console import stderr, stdout, styled
from peergate.exit_code import ExitCode
from peergate.formats import CheckFailOn, CheckFormat
from peergate.loading import LoadedPolicy, loaded_policy
from peergate.reports.problems import (
    finding_object,
    github_from_problems,
    problem_object,
    problem_text,
    sarif_from_problems,
)
from policies.authoring.lint.finding import Finding, Severity
from policies.authoring.lint.linting import findings_from_policy
from policies.engine.policy_set import PolicySet
from policies.language.problem import Problem


def check(path: str, form: CheckFormat, fail_on: CheckFailOn | None, *, native: bool) -> ExitCode:
    """Check the policy at `path` and print the result. `native`: also what makes an Envoy ask peergate."""
    loaded = loaded_policy(path)
    findings = _findings(loaded, native=native)
    if form is CheckFormat.TEXT:
        _print_text(loaded, findings)
    elif form is CheckFormat.JSON:
        print(_json(loaded, findings))
    elif form is CheckFormat.SARIF:
        print(sarif_from_problems([*loaded.problems, *findings]))
    else:
        for line in github_from_problems([*loaded.problems, *findings]):
            print(line)
    failed = loaded.policy is None or any(_fails(finding, fail_on) for finding in findings)
    return ExitCode.NO if failed else ExitCode.FINE


def _findings(loaded: LoadedPolicy, *, native: bool) -> tuple[Finding, ...]:
    """What the linter finds; a policy with problems has no meaning that it could look at."""
    if loaded.policy is None:
        return ()
    files, now = loaded.reading.files, time.time()
    asked = native_findings(loaded.policy, files, now) if native else None
    return findings_from_policy(loaded.policy, files, now, asked)


def _fails(finding: Finding, fail_on: CheckFailOn | None) -> bool:
    if fail_on is CheckFailOn.WARNING:
        return finding.code.severity is Severity.WARNING
    return fail_on is CheckFailOn.NOTE


def counted(number: int, what: str) -> str:
    """`1 rule`, `2 rules`, `2 identities`."""
    if number == 1:
        return f"1 {what}"
    return f"{number} {what[:-1]}ies" if what.endswith("y") else f"{number} {what}s"


def _print_text(loaded: LoadedPolicy, findings: Sequence[Finding]) -> None:
    console = stdout()
    lines: list[Problem | Finding] = [*loaded.problems, *findings]
    for problem in lines:
        console.print(problem_text(problem), soft_wrap=True)
    if loaded.policy is None:
        files = len({problem.at.file for problem in loaded.problems})
        said = f"{counted(len(loaded.problems), 'problem')} in {counted(files, 'file')}; the policy would not be loaded"
        stderr().print(styled((said, "bold red")), soft_wrap=True)
        return
    parts = [counted(number, what) for what, number in _contents(loaded.policy).items()]
    verdict = _counted_findings(findings)
    console.print(
        styled(
            (f"{loaded.source.path}: {verdict} ", "yellow" if findings else "green"),
            f"{', '.join(parts)}; generation {loaded.policy.generation}",
        ),
        soft_wrap=True,
    )


def _counted_findings(findings: Sequence[Finding]) -> str:
    counts = {severity: sum(1 for finding in findings if finding.code.severity is severity) for severity in Severity}
    said = [counted(number, severity) for severity, number in counts.items() if number]
    return f"would be loaded, with {' and '.join(said)}." if said else "fine."


def _json(loaded: LoadedPolicy, findings: Sequence[Finding]) -> str:
    answer: dict[str, object] = {"ok": loaded.policy is not None}
    if loaded.policy is not None:
        contents = {
            f"{what}s" if what != "identity" else "identities": n for what, n in _contents(loaded.policy).items()
        }
        answer |= contents | {"generation": loaded.policy.generation}
    answer["problems"] = [problem_object(problem) for problem in loaded.problems]
    answer["findings"] = [finding_object(finding) for finding in findings]
    return json.dumps(answer, indent=2)


def _contents(policy: PolicySet) -> dict[str, int]:
    return {
        "identity": sum(1 for identity in policy.identities if identity.name),
        "route": len({route.name or position for position, route in enumerate(policy.routes)}),
        "rule": len(policy.rules),
    }
