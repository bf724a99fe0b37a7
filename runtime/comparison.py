"""What the next policy would have decided, asked beside every decision (`--shadow-policy`).

Law kept here: whatever the next policy decides, or fails at, the decision that was made stays what it is.
"""

from collections.abc import Callable
from typing import NamedTuple

from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from policies.reason import Reason
from runtime.complaint import Complaint
from runtime.current_policy import CurrentPolicy
from runtime.errors import QuestionError
from runtime.metrics import Likeness, Metrics
from runtime.service_log import service_logger

_LOGGER = service_logger("comparison")

#: Reads the request once more, for another policy: with the headers that its conditions name.
ReadAgain = Callable[[PolicySet], Request]


class Compared(NamedTuple):
    """The decision of the next policy. `request`: with the headers that either policy names, for the record."""

    decision: Decision
    request: Request


class Comparison:
    """Asks the next policy, and counts. One for each enforcement point of a process; used by many threads."""

    def __init__(self, following: CurrentPolicy, metrics: Metrics, enforcement: Enforcement) -> None:
        self._following = following
        self._metrics = metrics
        self._enforcement = enforcement
        self._counters = metrics.comparison_counters(enforcement)
        self._complaint = Complaint()

    def compared(
        self, decision: Decision, policy: PolicySet | None, request: Request, read_again: ReadAgain
    ) -> Compared | None:
        """What the next policy decides where `policy` made `decision`; None if there is none. Never raises."""
        following = self._following.current
        if following is None:
            return None
        try:
            compared = self._asked(following, policy, request, read_again)
        except Exception as error:  # noqa: BLE001 - nothing that the next policy does reaches the request
            compared = Compared(self._internal_error(following, error), request)
        self._count(decision, compared.decision)
        return compared

    @property
    def following(self) -> PolicySet | None:
        """The next policy; read it once for each request and hand it to `verdict`."""
        return self._following.current

    def verdict(self, decision: Decision, following: PolicySet, request: Request) -> Decision:
        """What `following` decides on `request`, for which `decision` was made elsewhere. Never raises."""
        try:
            verdict = evaluate(following, request)
        except Exception as error:  # noqa: BLE001 - as above
            verdict = self._internal_error(following, error)
        self._count(decision, verdict)
        return verdict

    def leave_out(self) -> None:
        """Count a decision of which too little is known to ask the next policy."""
        self._counters[Likeness.NOT_EVALUATED].inc()

    def _internal_error(self, following: PolicySet, error: Exception) -> Decision:
        if times := self._complaint.due():
            message = "asking the shadow policy failed, nothing else is affected"
            _LOGGER.error(message, exc_info=error, extra={"facts": {"times": times}})
        problem = f"{type(error).__name__} while deciding"
        return Decision.refusal(Reason.INTERNAL_ERROR, following.generation, problem)

    def _asked(
        self, following: PolicySet, policy: PolicySet | None, request: Request, read_again: ReadAgain
    ) -> Compared:
        if policy is not None and following.condition_headers <= policy.condition_headers:
            return Compared(evaluate(following, request), request)
        try:
            again = read_again(following)._replace(time=request.time)
        except QuestionError as error:
            refusal = Decision.refusal(Reason.REQUEST_MALFORMED, following.generation, str(error))
            return Compared(refusal, request)
        return Compared(evaluate(following, again), request._replace(headers={**again.headers, **request.headers}))

    def _count(self, decision: Decision, following: Decision) -> None:
        likeness = likeness_of(decision, following)
        self._counters[likeness].inc()
        if likeness is Likeness.DIFFERS:
            self._metrics.difference_counter(decision.reason, following.reason, self._enforcement).inc()


def likeness_of(decision: Decision, following: Decision) -> Likeness:
    """How the decision of the next policy stands to the one that was made."""
    if decision.reason is not following.reason:
        return Likeness.DIFFERS
    return Likeness.SAME if decision.rules == following.rules else Likeness.OTHER_RULES
