"""`peergate policy test`: runs every `*.test.yaml` of a policy."""

from time import time

from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import PolicyTestFormat
from peergate.loading import LoadedPolicy, loaded_policy
from peergate.reports.problems import problem_text
from peergate.reports.tests import github_from_report, json_from_report, junit_from_report, print_report
from policies.authoring.suite import Suite, suite_from_bytes
from policies.authoring.testing import report_from_suites
from policies.engine.policy_set import PolicySet
from policies.language.problem import Problem


def test(path: str, form: PolicyTestFormat, fail_under: int) -> ExitCode:
    """Test the policy at `path` and print the result. `fail_under`: percent of the rules that must be reached."""
    loaded = loaded_policy(path)
    if loaded.policy is None:
        return _refused(loaded.problems, f"{path}: the policy has problems, so it was not tested")
    suites, problems = _suites(loaded, loaded.policy)
    if problems:
        return _refused(problems, f"{path}: the tests have problems, so none was run")
    if not suites:
        return _refused((), f"{path}: no tests; put a *.test.yaml beside the policy")
    report = report_from_suites(loaded.policy, suites)
    if form is PolicyTestFormat.TEXT:
        print_report(loaded.policy, suites, report)
    elif form is PolicyTestFormat.JSON:
        print(json_from_report(loaded.policy, report))
    elif form is PolicyTestFormat.JUNIT:
        print(junit_from_report(loaded.policy, suites, report))
    else:
        for line in github_from_report(loaded.policy, report):
            print(line)
    if report.coverage < fail_under:
        reached = len(report.rule_ids) - len(report.unreached)
        said = f"{path}: tests reach {reached} of {len(report.rule_ids)} rules, --fail-under asks for {fail_under} %"
        stderr().print(styled((said, "bold red")), soft_wrap=True)
        return ExitCode.NO
    return ExitCode.FINE if report.passed else ExitCode.NO


def _suites(loaded: LoadedPolicy, policy: PolicySet) -> tuple[list[Suite], list[Problem]]:
    try:
        files = loaded.source.test_files()
    except OSError as error:
        raise ArgumentError(f"{error.filename}: {error.strerror}") from None
    now = time()
    suites: list[Suite] = []
    problems: list[Problem] = []
    for file in sorted(files):
        suite, found = suite_from_bytes(file, files[file], policy, loaded.reading, now)
        problems.extend(found)
        if suite is not None:
            suites.append(suite)
    return suites, problems


def _refused(problems: tuple[Problem, ...] | list[Problem], why: str) -> ExitCode:
    console = stderr()
    for problem in problems:
        console.print(problem_text(problem), soft_wrap=True)
    console.print(styled((why, "bold red")), soft_wrap=True)
    return ExitCode.NO
