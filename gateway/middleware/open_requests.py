"""Law 9: a request that is open when its certificate ends, is revoked, or its verdict changes, is closed.

Everything that is open is judged again every second by the policy in force at that time, so one mechanism sees expiry,
revocation, a new policy and the time windows of rules.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from gateway.connection import END
from gateway.middleware.denial import POLICY_VIOLATION, send_denial
from gateway.middleware.limits import JUDGED_AT_ONCE, LOOK_SECONDS
from gateway.middleware.presented import Scope
from policies.engine.request import Request
from runtime.judge import Judge, Judgement

_ENDS = frozenset({"http.response.body", "websocket.close", "websocket.http.response.body"})


class OpenRequest:
    """One request under way in `task`. `denied`: the verdict that ended it."""

    __slots__ = ("_last", "_scope", "_send", "_task", "denied", "request")

    def __init__(self, request: Request, scope: Scope, send: Any, task: "asyncio.Task[Any] | None") -> None:
        self.request = request
        self._scope = scope
        self.denied: Judgement | None = None
        self._task = task
        self._send = send
        self._last: dict[str, Any] | None = None

    def end(self, judgement: Judgement) -> None:
        """Interrupt it: its task is cancelled, and if it has been answered in part, its connection ends."""
        self.denied = judgement
        if self._task is not None:
            self._task.cancel()
        if self._last is not None and not self._is_over:
            _end_connection(self._scope)

    def was_cancelled_by_others(self) -> bool:
        """Of a cancelled task: whether somebody else wants it to end, too."""
        return self.denied is None or self._task is None or self._task.uncancel() > 0

    def send(self, message: dict[str, Any]) -> Awaitable[None]:
        """Pass it on, unless the request is over; what is returned is to be awaited."""
        if self.denied is not None:
            raise OSError("the request is no longer allowed")
        self._last = message
        sent: Awaitable[None] = self._send(message)
        return sent

    @property
    def _is_over(self) -> bool:
        """Whether the last message was the last that there may be."""
        last = self._last
        return last is not None and last["type"] in _ENDS and not last.get("more_body")

    async def cut(self) -> None:
        """End what is open. An HTTP answer that has begun stays incomplete, so the server closes the connection."""
        if self.denied is None:
            return
        if self._last is None:
            await send_denial(self._scope, self._send, self.denied)
        elif self._scope["type"] == "websocket" and not self._is_over:
            reason = self.denied.decision.reason.value
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": reason})


def _end_connection(scope: Scope) -> None:
    """Where the server can: another one ends it when it likes."""
    extensions = scope.get("extensions")
    end = extensions.get(END) if isinstance(extensions, Mapping) else None
    if callable(end):
        end()


class OpenRequests:
    """Those of one event loop."""

    def __init__(self, judge: Judge, clock: Callable[[], float] = time.time) -> None:
        self.loop = asyncio.get_running_loop()
        self._judge = judge
        self._clock = clock
        self._open: set[OpenRequest] = set()
        self._looking = False
        #: Of one that is done.
        self.discard: Callable[[OpenRequest], None] = self._open.discard

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, request: Request, scope: Scope, send: Any) -> OpenRequest:
        """One in the running task; it is judged again from time to time, until it is discarded."""
        opened = OpenRequest(request, scope, send, asyncio.current_task(self.loop))
        self._open.add(opened)
        if not self._looking:
            self._looking = True
            self.loop.call_later(LOOK_SECONDS, self._look)
        return opened

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
        policy, request = self._judge.policy, open_request.request._replace(time=self._clock())
        if self._judge.would_permit(policy, request):
            return
        judgement = self._judge.decide(policy, request)
        if not judgement.permitted:
            self._open.discard(open_request)
            open_request.end(judgement)
