"""One serving process: the policy, what a judge needs, and an adapter's listeners, put together.

Its end is a drain: not ready, no new connections, what is in flight is finished within a bound, the decision log is
flushed.
"""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Protocol

from policies.engine.record import Enforcement
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from runtime.configuration import ServeConfiguration
from runtime.crl_fetch import CrlFetches
from runtime.decision_log import DecisionLog, decision_log_from_text
from runtime.ending import hard_end_after
from runtime.expiry import ExpiryCalendar
from runtime.expiry_source import expiring_from_trust
from runtime.judge import Judge
from runtime.limits import END_GRACE_SECONDS, LOG_CLOSE_SECONDS, YOUNG_OBJECTS
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.ocsp_client import OcspClient
from runtime.policy_source import PolicySource
from runtime.process_status import FrontReport, ProcessStatus
from runtime.service_log import service_logger
from runtime.shadow_policy import ShadowPolicy
from runtime.workload_bundles import WorkloadBundles

_LOGGER = service_logger("service")


class Front(Protocol):
    """The listeners of an adapter in one process."""

    def start(self) -> None:
        """Open the listeners and serve in threads of its own; returns when it accepts. Raises ConfigurationError."""
        ...

    def stop(self, seconds: float) -> None:
        """Accept nothing more, finish what is in flight within `seconds`, close."""
        ...

    def report(self) -> FrontReport:
        """What the health detail says of it. Called in any thread, also before `start`."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """What an adapter finds in its process.

    `share_port`: other workers listen on the same port (SO_REUSEPORT). `following`: the next policy, if there is one.
    """

    live: LivePolicy
    metrics: Metrics
    log: DecisionLog | None
    observe: bool
    share_port: bool
    following: LivePolicy | None = None

    def judge(self, enforcement: Enforcement) -> Judge:
        """The judge of one enforcement point."""
        return Judge(self.live, self.metrics, self.log, enforcement, observe=self.observe, following=self.following)


#: Builds an adapter's listeners. For several workers it must be picklable: a module-level function, or a `partial` of
#: one over plain values.
FrontFactory = Callable[[Serving], Front]


class ServingProcess:
    """Everything that one process serves with."""

    def __init__(
        self,
        configuration: ServeConfiguration,
        factory: FrontFactory,
        *,
        share_port: bool = False,
        lock_path: str | None = None,
        memory: TrustMemory = NOTHING_REMEMBERED,
    ) -> None:
        """Open the decision log and build the adapter; nothing listens yet. Raises ConfigurationError.

        `memory`: of what other processes of the service have had in force.
        """
        self._configuration = configuration
        self.metrics = Metrics()
        self._crls = CrlFetches(self.metrics, memory=memory)
        self._bundles = WorkloadBundles(self.metrics)
        self._ocsp = OcspClient(self.metrics)
        source = PolicySource(configuration.policy, self._crls, self._bundles, self._ocsp, memory)
        self.live = LivePolicy(source, self.metrics)
        self._ocsp.on_change(self.live.forget)
        self._log = decision_log_from_text(configuration.decision_log, self.metrics, lock_path=lock_path)
        following = configuration.shadow_policy
        self._shadow = None if following is None else ShadowPolicy(following, self.metrics, self._ocsp)
        self._front = factory(self._serving(share_port=share_port))
        self._calendar = ExpiryCalendar()
        self.live.on_change(self._note_ends)
        self._listening = False
        self._draining = False

    def _serving(self, *, share_port: bool) -> Serving:
        following = None if self._shadow is None else self._shadow.live
        return Serving(self.live, self.metrics, self._log, self._configuration.observe, share_port, following)

    def start(self) -> None:
        """Load the policy, then listen. Raises ConfigurationError; a bad policy is none (law 4)."""
        if self._configuration.observe:
            _LOGGER.warning(
                "--observe: every request is permitted, whatever is decided; the handshake still refuses callers"
            )
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        self.live.start()
        self._front.start()
        self._listening = True
        if self._shadow is not None:
            self._shadow.start()
        _LOGGER.info("listening", extra={"facts": {"state": self.status().state}})

    def status(self) -> ProcessStatus:
        """What this process is now."""
        return ProcessStatus(
            os.getpid(),
            self.live.status.shortened(),
            self._front.report(),
            listening=self._listening,
            draining=self._draining,
            queued_records=0 if self._log is None else self._log.queued,
            expiry=self._calendar.report(time()),
            fetch_notices=(*self._crls.notices(), *self._bundles.notices()),
            bundles_silent_seconds=self._bundles.silent_seconds(),
            shadow=None if self._shadow is None else self._shadow.status(),
            ocsp=self._ocsp.report(),
        )

    def reload(self) -> None:
        """SIGHUP: read the policy again, fetch CRLs and bundles, ask OCSP responders, open the decision log anew."""
        _LOGGER.info("reload asked for")
        self._crls.refresh()
        self._bundles.refresh()
        self._ocsp.refresh()
        self.live.reload()
        if self._shadow is not None:
            self._shadow.reload()
        if self._log is not None:
            self._log.reopen()

    def stop(self) -> None:
        """Be not ready, finish what is in flight, flush the log. A second call does nothing.

        Ends the process hard if that takes longer than it may.
        """
        if self._draining:
            return
        self._draining = True
        _LOGGER.info("draining")
        seconds = self._configuration.drain_seconds
        with hard_end_after(seconds + LOG_CLOSE_SECONDS + END_GRACE_SECONDS):
            if self._listening:
                self._front.stop(seconds)
            self.live.stop()
            self._crls.stop()
            self._bundles.stop()
            if self._shadow is not None:
                self._shadow.stop()
            self._ocsp.stop()
            if self._log is not None:
                self._log.close()
        _LOGGER.info("stopped")

    def _note_ends(self) -> None:
        policy = self.live.current
        if policy is not None:
            self._calendar = ExpiryCalendar(expiring_from_trust(policy.trust))
