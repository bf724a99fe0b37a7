"""Runs policy tests: every case is one real decision; what no case reached is said too.

Law kept here: tests decide as every enforcement point does, so a test that passes is a promise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.authoring.coverage import Coverage, route_coverage, rule_coverage
from policies.authoring.suite import Case, Suite
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case."""

    case: Case
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether the decision was the expected one."""
        return self.case.expected.is_met_by(self.decision)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of some suites, in order, and what they reached of the policy."""

    results: tuple[Result, ...]
    rules: Coverage
    routes: Coverage

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that were not expected."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def passed(self) -> bool:
        """Whether there was something to test, and all of it was as expected."""
        return bool(self.results) and not self.failures

    def short_of(self, percent: int) -> tuple[tuple[str, Coverage], ...]:
        """The coverages below `percent`, with what they are of."""
        return tuple(
            (what, found) for what, found in (("rules", self.rules), ("routes", self.routes)) if found.percent < percent
        )


def report_from_suites(policy: PolicySet, suites: Iterable[Suite]) -> Report:
    """Run every case of `suites` against `policy`."""
    results = tuple(Result(case, evaluate(policy, case.request)) for suite in suites for case in suite.cases)
    decided = [(result.case.request, result.decision) for result in results]
    return Report(results, rule_coverage(policy, decided), route_coverage(policy, decided))
