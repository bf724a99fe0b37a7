"""The one place where every adapter gets its verdict.

Law 2: no error permits; whatever `evaluate` raises is a denial. Law 4: without a policy everything is denied. Law 5:
the policy that is passed in is the only one that is asked. Law 10: every verdict is counted and recorded.
"""

from dataclasses import dataclass
from time import perf_counter, time
from typing import NamedTuple

from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from policies.reason import Effect, Reason
from runtime.comparison import Comparison, ReadAgain
from runtime.complaint import Complaint
from runtime.current_policy import CurrentPolicy
from runtime.decision_ids import next_decision_id
from runtime.decision_log import DecisionLog, Entry
from runtime.metrics import Metrics
from runtime.service_log import service_logger

_LOGGER = service_logger("judge")
# A member of an enumeration costs a descriptor call each time on Python 3.11.
_ALLOW = Effect.ALLOW
# The constructor of a named tuple is one more call of Python, on the way of every request.
_tuple = tuple.__new__


@dataclass(frozen=True, slots=True)
class FixedPolicy:
    """A policy that never changes."""

    current: PolicySet | None


class Judgement(NamedTuple):
    """A verdict with its name. `permitted`: whether the request may pass: allowed, or anything under `--observe`."""

    decision: Decision
    decision_id: str
    permitted: bool


class Judge:
    """Decides, counts and records. One for each enforcement point of a process; used by many threads."""

    def __init__(
        self,
        live: CurrentPolicy,
        metrics: Metrics,
        log: DecisionLog | None,
        enforcement: Enforcement,
        *,
        observe: bool = False,
        following: CurrentPolicy | None = None,
    ) -> None:
        """`following`: the next policy, which is asked beside this one and changes nothing."""
        self._live = live
        self._log = log
        self._enforcement = enforcement
        self._observe = observe
        self._count = metrics.decisions(enforcement).count
        self._complaint = Complaint()
        self._comparison = None if following is None else Comparison(following, metrics, enforcement)
        #: Whether a next policy is asked, so that `decide` needs `read_again`.
        self.compares = following is not None
        self._is_told = self.compares or log is not None

    @property
    def policy(self) -> PolicySet | None:
        """The policy in force; read it once for each request and hand it to `decide`."""
        return self._live.current

    def decide(
        self,
        policy: PolicySet | None,
        request: Request,
        started: float | None = None,
        trace_id: str | None = None,
        read_again: ReadAgain | None = None,
    ) -> Judgement:
        """The verdict of `policy` on `request`. Never raises.

        `started`: `time.perf_counter()` at receipt, for the latency; default: now. `trace_id`: of the caller's trace.
        `read_again` reads a new request for the next policy; without it, as of a request that was judged before, the
        next policy is not asked.
        """
        began = perf_counter() if started is None else started
        if policy is None:
            decision = Decision.refusal(Reason.POLICY_UNAVAILABLE, "", "no policy has ever been loaded")
        else:
            try:
                decision = evaluate(policy, request)
            except Exception as error:  # noqa: BLE001 - no error permits
                decision = self._internal_error(policy, error)
        latency = perf_counter() - began
        decision_id = next_decision_id()
        self._count(decision.reason, latency)
        if self._is_told:
            self._tell(decision, request, decision_id, request.time, latency, policy, trace_id, read_again)
        return _tuple(Judgement, (decision, decision_id, self._observe or decision.effect is _ALLOW))

    def would_permit(self, policy: PolicySet | None, request: Request) -> bool:
        """Whether `decide` would permit, without a record: for looking again at what was permitted. Never raises."""
        if self._observe:
            return True
        if policy is None:
            return False
        try:
            return evaluate(policy, request).effect is _ALLOW
        except Exception as error:  # noqa: BLE001 - no error permits
            self._internal_error(policy, error)
            return False

    def refuse(
        self,
        problem: str,
        *,
        reason: Reason = Reason.REQUEST_MALFORMED,
        started: float | None = None,
        trace_id: str | None = None,
    ) -> Judgement:
        """The verdict on a request that could not even be read: a denial for `reason`, `problem` says why."""
        began = perf_counter() if started is None else started
        policy = self._live.current
        if policy is None:
            decision = Decision.refusal(Reason.POLICY_UNAVAILABLE, "", problem)
        else:
            # A refusal never allows, whatever reason it is called with.
            decision = Decision.refusal(reason, policy.generation, problem)
        latency = perf_counter() - began
        decision_id = next_decision_id()
        self._count(decision.reason, latency)
        self._tell(decision, None, decision_id, time(), latency, policy, trace_id, None)
        return Judgement(decision, decision_id, self._observe)

    def _tell(
        self,
        decision: Decision,
        request: Request | None,
        decision_id: str,
        moment: float,
        latency: float,
        policy: PolicySet | None,
        trace_id: str | None,
        read_again: ReadAgain | None,
    ) -> None:
        """Ask the next policy, and record; whichever of them there is."""
        following = None
        if self._comparison is not None and request is not None and read_again is not None:
            compared = self._comparison.compared(decision, policy, request, read_again)
            if compared is not None:
                following, request = compared
        if self._log is not None:
            self._log.append(
                Entry(decision, request, decision_id, self._enforcement, moment, latency, policy, trace_id, following)
            )

    def _internal_error(self, policy: PolicySet, error: Exception) -> Decision:
        if times := self._complaint.due():
            _LOGGER.error("deciding failed, the request is denied", exc_info=error, extra={"facts": {"times": times}})
        return Decision.refusal(Reason.INTERNAL_ERROR, policy.generation, f"{type(error).__name__} while deciding")
