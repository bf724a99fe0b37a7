"""The requests to one OCSP responder: which is due, how many at a time, and what an outage does to them.

A responder that cannot be reached is asked by one request at a time, at growing intervals, about whichever certificate
is due; when it is back, all that waited are asked at once. So an outage costs nobody anything but the answers.
"""

from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from threading import Condition, Thread
from time import monotonic

from policies.peer.ocsp import OcspAnswer, OcspQuestion
from policies.peer.ocsp_answers import FirstAnswer
from runtime.errors import DownloadError
from runtime.limits import MAX_OCSP_ASKED, MAX_OCSP_OUTAGE_SECONDS, OCSP_RETRY_SECONDS, OCSP_THREADS
from runtime.service_log import service_logger

_LOGGER = service_logger("ocsp")


class Asked:
    """One certificate that a responder is asked about.

    `problem`: what became of the last attempt, empty if it was good; `failures`: in a row. `seen`: monotonic time of
    the last request that looked for the answer. `queued`: whether it will be asked about again without anybody's doing.
    `first`: done when the first attempt since it was queued has ended; None where nobody need wait for that. `gone`: it
    was forgotten, and need not be asked about.
    """

    __slots__ = ("answer", "failures", "first", "gone", "problem", "question", "queued", "responder", "seen")

    def __init__(self, question: OcspQuestion, responder: "Responder") -> None:
        self.question = question
        self.responder = responder
        self.answer: OcspAnswer | None = None
        self.problem = ""
        self.failures = 0
        self.seen = 0.0
        self.queued = self.gone = False
        self.first: FirstAnswer | None = None


class Responder:
    """`attempt` asks once, and gives the seconds until the next time, infinite for never; None = it did not ask.

    It raises DownloadError if there was no answer.
    """

    def __init__(self, name: str, attempt: Callable[[Asked], float | None]) -> None:
        self.name = name
        self.problem = ""
        self._attempt = attempt
        self._condition = Condition()
        self._queue: list[tuple[float, int, Asked]] = []
        self._numbers = count()
        self._threads = self._idle = 0
        self._failures = 0
        self._resume = 0.0
        self._probing = self._stopped = False

    @property
    def is_down(self) -> bool:
        """Whether the last request got no answer."""
        return self._failures > 0

    def put(self, asked: Asked) -> None:
        """Ask about it as soon as may be."""
        with self._condition:
            if len(self._queue) >= self._idle and self._threads < OCSP_THREADS:
                Thread(target=self._run, name="ocsp", daemon=True).start()
                self._threads += 1
            self._push(asked, monotonic())
            self._condition.notify()

    def hurry(self) -> None:
        """Ask about everything now."""
        with self._condition:
            now = self._resume = monotonic()
            self._queue = [(now, number, asked) for _, number, asked in self._queue]
            heapify(self._queue)
            self._condition.notify_all()

    def stop(self) -> None:
        """Ask no more; a request that is under way is not waited for."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def _run(self) -> None:
        while (asked := self._next()) is not None:
            first = asked.first
            try:
                delay = self._attempt(asked)
            except DownloadError as error:
                self._failed(asked, str(error))
            else:
                self._done(asked, delay)
            _end_waiting(first)

    def _next(self) -> Asked | None:
        """The certificate that is due, when there is one; None when all is over."""
        with self._condition:
            while not self._stopped:
                seconds = self._seconds_to_next(monotonic())
                if seconds is not None and seconds <= 0:
                    self._probing = self._failures > 0
                    return heappop(self._queue)[2]
                self._idle += 1
                self._condition.wait(seconds)
                self._idle -= 1
            return None

    def _seconds_to_next(self, now: float) -> float | None:
        """Seconds to wait; None = until something happens."""
        if not self._queue or self._probing:
            return None
        due = self._queue[0][0]
        return (max(due, self._resume) if self._failures else due) - now

    def _failed(self, asked: Asked, problem: str) -> None:
        with self._condition:
            now = monotonic()
            begins = not self._failures
            if self._probing or not self._failures:
                # Others that were under way at the beginning of an outage do not make it longer.
                self._failures += 1
            self._resume = now + min(OCSP_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 16), MAX_OCSP_OUTAGE_SECONDS)
            self._probing = False
            self.problem = problem
            self._push(asked, now)
            waiting = [item.first for _, _, item in self._queue]
            self._condition.notify()
        for first in waiting:
            _end_waiting(first)
        if begins:
            _LOGGER.warning("OCSP responder cannot be reached", extra={"facts": {"url": self.name, "problem": problem}})

    def _done(self, asked: Asked, delay: float | None) -> None:
        """It answered, or (None) there was no need to ask."""
        with self._condition:
            self._probing = False
            ends = delay is not None and self._failures > 0
            if delay is not None:
                self._failures, self.problem = 0, ""
                if delay < inf:
                    self._push(asked, monotonic() + delay)
            self._condition.notify_all()
        if ends:
            _LOGGER.info("OCSP responder answers again", extra={"facts": {"url": self.name}})

    def _push(self, asked: Asked, due: float) -> None:
        if len(self._queue) >= 2 * MAX_OCSP_ASKED:
            self._queue = [item for item in self._queue if not item[2].gone]
            heapify(self._queue)
        heappush(self._queue, (due, next(self._numbers), asked))


def _end_waiting(first: FirstAnswer | None) -> None:
    """Whoever waits for the first answer goes on."""
    if first is not None:
        # Two threads may end it: the one that asked, and one that saw the responder fail.
        with suppress(InvalidStateError):
            first.set_result(None)
