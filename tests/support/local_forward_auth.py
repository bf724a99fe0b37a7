"""The forward-auth listener in this process, with a policy and a clock that the test sets."""

import time
from types import TracebackType
from typing import Any, Self

from gateway.forward_auth.app import ForwardAuth
from gateway.forward_auth.proxies import ASKING, Proxy
from gateway.forward_auth.request import QuestionReader
from gateway.hops import FrontHops
from gateway.middleware.forwarded import ForwardedPeers
from gateway.server.server import GatewayServer
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.engine.request import Request
from policies.peer.reader import PresentedReader
from runtime.address import Address
from runtime.check import Checks
from runtime.judge import Judge
from runtime.listener import listener_from_address
from runtime.metrics import Metrics


class LocalForwardAuth:
    """A context manager. `current`: the policy in force; `now`: the time of every question (None = the clock's).

    `judged`: what was asked; `problems`: why what could not be judged was refused; both in order.
    """

    def __init__(self, address: Address, proxy: Proxy, seen_headers: tuple[str, ...] = ()) -> None:
        self.current: PolicySet | None = None
        self.now: float | None = None
        self.judged: list[Request] = []
        self.problems: list[str] = []
        self.address = address
        reader, asking = PresentedReader(), ASKING[proxy]
        peers = ForwardedPeers(asking.certificate, FrontHops.parse(["unix", "127.0.0.1/32"]))
        judge = _NotingJudge(self, Metrics(), None, Enforcement.FORWARD_AUTH)
        judge.noted, judge.problems = self.judged, self.problems
        self._app = ForwardAuth(
            Checks(judge, reader), QuestionReader(asking, peers, reader, seen_headers), asking, self._clock
        )

    def __enter__(self) -> Self:
        self._server = GatewayServer(self._app, listener_from_address(self.address), lambda: None)
        self.address = self._server.address
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(1)

    def _clock(self) -> float:
        return time.time() if self.now is None else self.now


class _NotingJudge(Judge):
    """A judge that notes what it is asked about."""

    noted: list[Request]
    problems: list[str]

    def decide(self, policy: PolicySet | None, request: Request, *facts: Any, **more: Any) -> Any:
        self.noted.append(request)
        return super().decide(policy, request, *facts, **more)

    def refuse(self, problem: str, **facts: object) -> object:  # type: ignore[override]
        self.problems.append(problem)
        return super().refuse(problem, **facts)  # type: ignore[arg-type]
