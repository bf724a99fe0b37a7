"""Law 9: a request that is open when its certificate ends, is revoked, or its verdict changes, is closed.

Everything that is open is judged again every second by the policy in force at that time, so one mechanism sees expiry,
revocation, a new policy and the time windows of rules.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from gateway.middleware.limits import JUDGED_AT_ONCE, LOOK_SECONDS
from policies.engine.request import Request
from runtime.judge import Judge, Judgement


class OpenRequest:
    """One request under way in the running task. `denied`: the verdict that ended it."""

    __slots__ = ("_task", "denied", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.denied: Judgement | None = None
        self._task = asyncio.current_task()

    def end(self, judgement: Judgement) -> None:
        """Interrupt it: its task is cancelled."""
        self.denied = judgement
        if self._task is not None:
            self._task.cancel()

    def was_cancelled_by_others(self) -> bool:
        """Of a cancelled task: whether somebody else wants it to end, too."""
        return self.denied is None or self._task is None or self._task.uncancel() > 0


class OpenRequests:
    """Those of one event loop."""

    def __init__(self, judge: Judge, clock: Callable[[], float] = time.time) -> None:
        self.loop = asyncio.get_running_loop()
        self._judge = judge
        self._clock = clock
        self._open: set[OpenRequest] = set()
        self._looking = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, request: OpenRequest) -> None:
        """Judge it again from time to time, until it is discarded."""
        self._open.add(request)
        if not self._looking:
            self._looking = True
            self.loop.call_later(LOOK_SECONDS, self._look)

    def discard(self, request: OpenRequest) -> None:
        """It is done."""
        self._open.discard(request)

    def _look(self) -> None:
        if not self._open:
            self._looking = False
            return
        self._go_on(iter(tuple(self._open)))

    def _go_on(self, left: Iterator[OpenRequest]) -> None:
        """Judge some, then let others run."""
        some = list(islice(left, JUDGED_AT_ONCE))
        if not some:
            self.loop.call_later(LOOK_SECONDS, self._look)
            return
        try:
            for request in some:
                if request in self._open:
                    self._judge_again(request)
        finally:
            self.loop.call_soon(self._go_on, left)

    def _judge_again(self, open_request: OpenRequest) -> None:
        policy, request = self._judge.policy, replace(open_request.request, time=self._clock())
        if self._judge.would_permit(policy, request):
            return
        judgement = self._judge.decide(policy, request)
        if not judgement.permitted:
            self._open.discard(open_request)
            open_request.end(judgement)
