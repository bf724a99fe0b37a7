"""A `*.test.yaml` and the policy that it tests -> the requests to make, each with what must come of it.

Law kept here: a file of tests loads whole or not at all; every problem is reported with its place, as for policies.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.authoring.expectation import Expectation, ExpectationError
from policies.authoring.limits import MAX_TEST_CASES
from policies.authoring.suite_caller import CallerReader, LabelledCaller
from policies.authoring.suite_document import PolicyTestDocument, SuiteDocument
from policies.authoring.suite_request import RequestReader
from policies.authoring.suite_table import SUITE
from policies.authoring.wish import CertificateMaker, Wish
from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.engine.rule import Rule
from policies.language.codes import Code
from policies.language.policy_table import VERSIONS
from policies.language.problem import Position, Problem, Problems
from policies.language.surroundings import Surroundings
from policies.language.wording import quoted
from policies.language.yaml_text import node_from_bytes
from policies.peer.presented import Presented
from policies.reason import Reason


@dataclass(frozen=True, slots=True)
class Case:
    """One request of one test. `caller` and `line` name them for people; `at` is the place of the test."""

    test: str
    at: Position
    caller: str
    line: str
    request: Request
    expected: Expectation


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one file, as cases in order of writing."""

    file: str
    cases: tuple[Case, ...]


def suite_from_bytes(
    file: str, data: bytes, policy: PolicySet, surroundings: Surroundings, maker: CertificateMaker, now: float
) -> tuple[Suite | None, tuple[Problem, ...]]:
    """The tests in `data`, or the problems why there are none.

    `surroundings` gives the certificate files that callers name, relative to the policy's folder; `maker` makes those
    that are to be generated. `now` (epoch seconds) is the time of requests that name none.
    """
    problems = Problems()
    node = node_from_bytes(file, data, problems)
    document = None if node is None else SUITE.read(node, "the file", problems)
    if document is None:
        return None, problems.sorted()
    _check_version(document, problems)
    cases = _cases(document, _Readers.of(document, policy, surroundings, maker, now, problems), problems)
    if len(problems):
        return None, problems.sorted()
    return Suite(file, cases), ()


@dataclass(frozen=True, slots=True)
class _Readers:
    callers: CallerReader
    requests: RequestReader
    policy: PolicySet
    maker: CertificateMaker

    @classmethod
    def of(
        cls,
        document: SuiteDocument,
        policy: PolicySet,
        surroundings: Surroundings,
        maker: CertificateMaker,
        now: float,
        problems: Problems,
    ) -> "_Readers":
        callers = CallerReader(document.callers, policy.trust, surroundings, maker, now, problems)
        return cls(callers, RequestReader(document.defaults, now, problems), policy, maker)

    def presented(self, caller: LabelledCaller, time: float) -> Presented:
        """What a caller presents at `time`. Raises ValueError if no certificate can be made for it."""
        return self.maker.presented(caller.shown, time) if isinstance(caller.shown, Wish) else caller.shown


def _check_version(document: SuiteDocument, problems: Problems) -> None:
    if document.version is not None and document.version.text not in VERSIONS:
        message = f"this peergate reads tests of version {VERSIONS[-1]}, not {quoted(document.version.text)}"
        problems.add(document.version.at, Code.VERSION_UNKNOWN, message, f"write `version: {VERSIONS[-1]}`")


def _cases(document: SuiteDocument, readers: _Readers, problems: Problems) -> tuple[Case, ...]:
    rules = {rule.id: rule for rule in readers.policy.rules}
    found: list[Case] = []
    for test in document.tests:
        cells = len(test.as_) * len(test.request)
        if len(found) + cells > MAX_TEST_CASES:
            message = f"callers times requests of this file are more than {MAX_TEST_CASES}"
            problems.add(test.at, Code.TOO_MANY_VALUES, message, "make two files of it")
            break
        found.extend(_table(test, rules, readers, problems))
    return tuple(found)


def _table(
    test: PolicyTestDocument, rules: Mapping[str, Rule], readers: _Readers, problems: Problems
) -> Iterable[Case]:
    expected = _expected(test, rules, problems)
    callers = [caller for item in test.as_ if (caller := readers.callers.caller(item)) is not None]
    malformed = expected is not None and expected.reason is Reason.REQUEST_MALFORMED
    requests = [readers.requests.line(item, test, expects_malformed=malformed) for item in test.request]
    lines = [line for line in requests if line is not None]
    if expected is None:
        return
    name = test.name.text if test.name is not None else ""
    for caller in callers:
        for line in lines:
            try:
                request = line.request._replace(peer=readers.presented(caller, line.request.time))
            except ValueError as error:
                message = f"no certificate can be made for {quoted(caller.label)}: {error}"
                problems.add(test.at, Code.VALUE_INVALID, message)
                return
            yield Case(name, test.at, caller.label, line.label, request, expected)


def _expected(test: PolicyTestDocument, rules: Mapping[str, Rule], problems: Problems) -> Expectation | None:
    if test.expect is None:
        return None
    try:
        return Expectation.parse(test.expect.text, rules)
    except ExpectationError as error:
        problems.add(test.expect.at, error.code, str(error), error.hint)
        return None
