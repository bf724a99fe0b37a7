"""What every authorizing middleware of one process shares: the policy in force, the judge, and what is remembered."""

import time
from collections.abc import Callable
from functools import partial
from typing import Self

from gateway.middleware.forwarded import ForwardedFacts
from gateway.middleware.judged import PEERGATE, Judged
from gateway.middleware.presented import Scope
from gateway.middleware.request import ScopeReader
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.check import Checks, Verdict, Waiting
from runtime.crl_fetch import CrlFetches
from runtime.decision_log import decision_log_from_text
from runtime.judge import Judge
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.ocsp_client import OcspClient
from runtime.policy_source import PolicySource
from runtime.workload_bundles import WorkloadBundles


class Authorizer:
    """Judges ASGI scopes. `judge` is also asked again about what is open."""

    def __init__(
        self, judge: Judge, clock: Callable[[], float] = time.time, *, forwarded: ForwardedFacts | None = None
    ) -> None:
        """`clock`: seconds since the epoch. `forwarded`: reads what a proxy in front says, if only proxies connect."""
        self.judge = judge
        self.clock = clock
        reader = PresentedReader()
        self._scopes = ScopeReader(reader, clock, forwarded)
        self._checks = Checks(judge, reader)
        self._ending: tuple[Callable[[], None], ...] = ()

    @classmethod
    def from_policy(cls, path: str, *, decision_log: str = "-", observe: bool = False) -> Self:
        """Load the file or folder `path`, watch it in a thread, and judge by what is in force.

        `decision_log`: a file, `-` for standard output, or `off`. A bad policy is no error: everything is denied until
        there is a good one (law 4). Raises ConfigurationError if the log cannot be opened.
        """
        metrics = Metrics()
        crls = CrlFetches(metrics)
        bundles = WorkloadBundles(metrics)
        ocsp = OcspClient(metrics)
        live = LivePolicy(PolicySource(path, crls, bundles, ocsp), metrics)
        ocsp.on_change(live.forget)
        log = decision_log_from_text(decision_log, metrics)
        live.start()
        made = cls(Judge(live, metrics, log, Enforcement.GATEWAY, observe=observe))
        ending = (live.stop, crls.stop, bundles.stop, ocsp.stop)
        made._ending = ending if log is None else (*ending, log.close)
        return made

    @property
    def current(self) -> PolicySet | None:
        """The policy in force."""
        return self.judge.policy

    def close(self) -> None:
        """Watch the policy and fetch its CRLs no more, and write what the decision log still holds."""
        for end in self._ending:
            end()

    def attempt(self, scope: Scope) -> Verdict | Waiting:
        """The verdict on an `http` or `websocket` scope, unless it has to wait for a responder. Never raises."""
        judged = scope.get(PEERGATE)
        presented = judged.presented if isinstance(judged, Judged) else None
        return self._checks.attempt(partial(self._scopes.received_from_scope, scope, presented))
