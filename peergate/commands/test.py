"""`peergate policy test`: runs every `*.test.yaml` of a policy."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import time

from peergate.console import stderr, styled
from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode
from peergate.formats import PolicyTestFormat
from peergate.loading import LoadedPolicy, loaded_policy
from peergate.reports.problems import problem_text
from peergate.reports.tests import github_from_report, json_from_report, junit_from_report, print_report
from peergate.stand_ins import StandIns
from policies.authoring.suite import Suite, suite_from_bytes
from policies.authoring.testing import Report, report_from_suites
from policies.engine.policy_set import PolicySet
from policies.language.problem import Problem


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run: a report, or why there is none. `files`: the tests that were read.

    `policy` is the one that decided: with stand-ins for its CAs, where certificates were made.
    """

    loaded: LoadedPolicy
    files: Mapping[str, bytes]
    suites: tuple[Suite, ...] = ()
    policy: PolicySet | None = None
    report: Report | None = None
    problems: tuple[Problem, ...] = ()
    refusal: str = ""


def test(path: str, form: PolicyTestFormat, fail_under: int) -> ExitCode:
    """Test the policy at `path` and print the result.

    `fail_under`: percent of the rules, and of the routes, that must be reached.
    """
    run = run_tests(path)
    if run.report is None or run.policy is None:
        print_refusal(run)
        return ExitCode.NO
    if form is PolicyTestFormat.TEXT:
        print_report(run.policy, run.suites, run.report)
    elif form is PolicyTestFormat.JSON:
        print(json_from_report(run.policy, run.report))
    elif form is PolicyTestFormat.JUNIT:
        print(junit_from_report(run.policy, run.suites, run.report, fail_under))
    else:
        for line in github_from_report(run.policy, run.report):
            print(line)
    print_shortfall(path, run.report, fail_under)
    return ExitCode.FINE if run.report.passed and not run.report.short_of(fail_under) else ExitCode.NO


def run_tests(path: str) -> TestRun:
    """Load the policy at `path` and run its tests. Raises ArgumentError if there is nothing to read."""
    loaded = loaded_policy(path)
    try:
        files = loaded.source.test_files()
    except OSError as error:
        raise ArgumentError(f"{error.filename}: {error.strerror}") from None
    if loaded.policy is None:
        refusal = f"{path}: the policy has problems, so it was not tested"
        return TestRun(loaded, files, problems=loaded.problems, refusal=refusal)
    maker = StandIns(loaded.policy.trust)
    suites, problems = _suites(loaded, loaded.policy, files, maker)
    if problems:
        refusal = f"{path}: the tests have problems, so none was run"
        return TestRun(loaded, files, problems=tuple(problems), refusal=refusal)
    if not suites:
        return TestRun(loaded, files, refusal=f"{path}: no tests; put a *.test.yaml beside the policy")
    trust = maker.trust()
    policy = loaded.policy if trust is loaded.policy.trust else loaded.policy.with_trust(trust)
    return TestRun(loaded, files, tuple(suites), policy, report_from_suites(policy, suites))


def _suites(
    loaded: LoadedPolicy, policy: PolicySet, files: Mapping[str, bytes], maker: StandIns
) -> tuple[list[Suite], list[Problem]]:
    now = time()
    suites: list[Suite] = []
    problems: list[Problem] = []
    for file in sorted(files):
        suite, found = suite_from_bytes(file, files[file], policy, loaded.reading, maker, now)
        problems.extend(found)
        if suite is not None:
            suites.append(suite)
    return suites, problems


def print_refusal(run: TestRun, limit: int | None = None) -> None:
    """Why nothing was tested. `limit`: problems that are shown."""
    console = stderr()
    for problem in run.problems[:limit]:
        console.print(problem_text(problem), soft_wrap=True)
    if limit is not None and len(run.problems) > limit:
        console.print(styled(f"and {len(run.problems) - limit} more"))
    console.print(styled((run.refusal, "bold red")), soft_wrap=True)


def print_shortfall(path: str, report: Report, fail_under: int) -> None:
    """What tests do not reach of what `fail_under` asks for."""
    for what, found in report.short_of(fail_under):
        reached = len(found.names) - len(found.unreached)
        said = f"{path}: tests reach {reached} of {len(found.names)} {what}, --fail-under asks for {fail_under} %"
        stderr().print(styled((said, "bold red")), soft_wrap=True)
