"""One question, whatever carried it: extract, decide, and know what is to be answered.

Law 2: what cannot be read, and what fails while it is read, is denied. Law 5: the policy is read once and judges all.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple

from policies.engine.policy_set import PolicySet
from policies.engine.request import Request
from policies.peer.ocsp_answers import FirstAnswer
from policies.peer.presented import NO_CERTIFICATE, NamedCaller, Presented, PresentedCertificate
from policies.peer.reader import PresentedReader
from policies.reason import Reason
from runtime.complaint import Complaint
from runtime.errors import QuestionError
from runtime.identity_headers import NO_CHANGES, HeaderChanges, disguised_headers, header_changes
from runtime.judge import Judge, Judgement
from runtime.limits import FIRST_ANSWER_SECONDS
from runtime.service_log import service_logger

_LOGGER = service_logger("check")
_NOTHING_SETTABLE: frozenset[str] = frozenset()
_NOTHING_NAMED: frozenset[str] = frozenset()


class Received(NamedTuple):
    """One question: the request to judge, and what the answer needs to know of its headers.

    `names`: the names of the headers of the request as sent, lower case, `:`-headers among them. `xfcc`: the value of
    x-forwarded-client-cert, empty if there is none.
    """

    request: Request
    names: Sequence[str]
    xfcc: str
    trace_id: str | None


class Verdict(NamedTuple):
    """A judgement, and what the answer to it depends on beside the judgement.

    `settable`: the headers that some rule may set. `names`: as in `Received`. `request`: what was judged, None if it
    could not be read. All but the judgement is left out if the request may not pass.
    """

    judgement: Judgement
    settable: frozenset[str] = _NOTHING_SETTABLE
    peer: Presented = NO_CERTIFICATE
    xfcc_passes: bool = False
    names: Sequence[str] = ()
    request: Request | None = None

    @property
    def disguised(self) -> tuple[str, ...]:
        """The received headers to remove beside those that always are."""
        return disguised_headers(self.settable, self.names)

    @property
    def changes(self) -> HeaderChanges:
        """What is done to the headers of the request, if it may pass."""
        judgement = self.judgement
        if not judgement.permitted:
            return NO_CHANGES
        return header_changes(
            self.settable,
            self.names,
            self.peer,
            judgement.decision,
            judgement.decision_id,
            xfcc_passes=self.xfcc_passes,
        )


#: Reads one question for the policy that will judge it.
Read = Callable[[PolicySet | None], Received]


class Waiting(NamedTuple):
    """A question that is not decided yet. `verdict` decides it, by what is known then; call it once.

    `first`: the answers to wait for, at most `FIRST_ANSWER_SECONDS`.
    """

    first: tuple[FirstAnswer, ...]
    verdict: Callable[[], Verdict]

    async def answered(self) -> None:
        """Wait on the running loop."""
        futures = [asyncio.wrap_future(first) for first in self.first]
        await asyncio.wait(futures, timeout=FIRST_ANSWER_SECONDS)


class Checks:
    """Answers the questions of an enforcement point. Used by many threads."""

    def __init__(self, judge: Judge, reader: PresentedReader) -> None:
        self._judge = judge
        self._reader = reader
        self._complaint = Complaint()

    def verdict(self, read: Read) -> Verdict:
        """Judge what `read` reads for the policy in force. `read` may raise whatever it likes."""
        return self._final(read, perf_counter())

    def attempt(self, read: Read) -> Verdict | Waiting:
        """As `verdict`, unless a first answer about the caller's certificate is under way; then nothing is decided."""
        started = perf_counter()
        policy = self._judge.policy
        try:
            received = read(policy)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and denied
            return self._unreadable(error, policy, started)
        if policy is not None and policy.waits and (first := self._first_answers(policy, received.request)):
            return Waiting(first, lambda: self._final(read, started))
        return self._decided(received, read, policy, started)

    def _final(self, read: Read, started: float) -> Verdict:
        policy = self._judge.policy
        try:
            received = read(policy)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told and denied
            return self._unreadable(error, policy, started)
        return self._decided(received, read, policy, started)

    def _first_answers(self, policy: PolicySet, request: Request) -> tuple[FirstAnswer, ...]:
        try:
            return policy.awaited(request.peer, request.time)
        except Exception:  # noqa: BLE001 - what fails here fails again where it is judged, and is told there
            return ()

    def _unreadable(self, error: Exception, policy: PolicySet | None, started: float) -> Verdict:
        """The refusal of what could not be read."""
        if isinstance(error, QuestionError):
            return self._refused(policy, str(error), Reason.REQUEST_MALFORMED, started)
        if times := self._complaint.due():
            _LOGGER.error("reading a question failed", exc_info=error, extra={"facts": {"times": times}})
        return self._refused(policy, f"{type(error).__name__} while reading", Reason.INTERNAL_ERROR, started)

    def _decided(self, received: Received, read: Read, policy: PolicySet | None, started: float) -> Verdict:
        request, names, xfcc, trace_id = received
        read_again = partial(_request_for, policy, received, read) if self._judge.compares else None
        judgement = self._judge.decide(policy, request, started, trace_id, read_again)
        if not judgement.permitted:
            return Verdict(judgement)
        settable = _NOTHING_SETTABLE if policy is None else policy.settable_headers
        peer = request.peer
        passes = False
        if xfcc and isinstance(peer, PresentedCertificate | NamedCaller):
            passes = self._reader.xfcc_may_pass(xfcc, peer)
        # The constructor of a named tuple is one more call of Python, on the way of every request.
        return tuple.__new__(Verdict, (judgement, settable, peer, passes, names, request))

    def _refused(self, policy: PolicySet | None, problem: str, reason: Reason, started: float) -> Verdict:
        """It may pass all the same, where everything does (`--observe`)."""
        judgement = self._judge.refuse(problem, reason=reason, started=started)
        if policy is None or not judgement.permitted:
            return Verdict(judgement)
        return Verdict(judgement, policy.settable_headers)


def _request_for(policy: PolicySet | None, received: Received, read: Read, following: PolicySet) -> Request:
    """The request for `following`: what was `received` for `policy`, unless it has a header that only that names."""
    known = _NOTHING_NAMED if policy is None else policy.condition_headers
    if (following.condition_headers - known).isdisjoint(received.names):
        return received.request
    return read(following).request
