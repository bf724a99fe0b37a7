"""Runs policy tests: every case is one real decision; what no case reached is said too.

Law kept here: tests decide as every enforcement point does, so a test that passes is a promise.
"""

from collections.abc import Iterable
from dataclasses import dataclass

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
    """The results of some suites, in order, and the coverage of rules.

    A rule is reached if it was among those that decided some case, or would have been with shadow rules enforced.
    """

    results: tuple[Result, ...]
    rule_ids: tuple[str, ...]
    reached: frozenset[str]

    @property
    def failures(self) -> tuple[Result, ...]:
        """The results that were not expected."""
        return tuple(result for result in self.results if not result.passed)

    @property
    def unreached(self) -> tuple[str, ...]:
        """Rules that no case reached, sorted."""
        return tuple(rule for rule in self.rule_ids if rule not in self.reached)

    @property
    def coverage(self) -> float:
        """Percent of the rules that some case reached."""
        return 100 * (len(self.rule_ids) - len(self.unreached)) / len(self.rule_ids)

    @property
    def passed(self) -> bool:
        """Whether there was something to test, and all of it was as expected."""
        return bool(self.results) and not self.failures


def report_from_suites(policy: PolicySet, suites: Iterable[Suite]) -> Report:
    """Run every case of `suites` against `policy`."""
    results = tuple(Result(case, evaluate(policy, case.request)) for suite in suites for case in suite.cases)
    reached = frozenset(rule for result in results for rule in _deciding(result.decision))
    return Report(results, policy.rule_ids, reached)


def _deciding(decision: Decision) -> Iterable[str]:
    yield from decision.rules
    if decision.shadow is not None:
        yield from decision.shadow.rules
