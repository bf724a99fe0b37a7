"""What one serving process says of itself, and what a whole service is by the word of all its processes.

Plain values: they travel from the workers to the supervisor, and end in `/readyz` and `/metrics`.
"""

from dataclasses import dataclass

from runtime.expiry import NOTHING_ENDS, Expiring, ExpiryReport
from runtime.limits import MAX_SHOWN_PROBLEMS
from runtime.ocsp_status import NOTHING_ASKED, OcspReport
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.shadow_policy import ShadowStatus


@dataclass(frozen=True, slots=True)
class FrontReport:
    """What an adapter adds to the health detail.

    `notices`: what an operator should know, such as rules that need headers which this enforcement point is not shown.
    `cached_certificates`: whose facts are remembered. `envoy_restarts`: how often the Envoy beside it has ended.
    `served`: the certificates of its listeners.
    `is_prepared`: whether what it makes of a policy is made of the first good one, and what it runs beside itself runs.
    """

    notices: tuple[str, ...] = ()
    cached_certificates: int = 0
    envoy_restarts: int = 0
    served: tuple[Expiring, ...] = ()
    is_prepared: bool = True


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One serving process. Ready: its listeners are open, a complete generation is in force, and it is not draining.

    `fetch_notices`: what is wrong with CRLs and bundles that it fetches, in words. `bundles_silent_seconds`: for how
    long some Workload API has been gone. `shadow`: the next policy, if it has one.
    """

    pid: int
    policy: PolicyStatus
    front: FrontReport = FrontReport()
    listening: bool = False
    draining: bool = False
    queued_records: int = 0
    expiry: ExpiryReport = NOTHING_ENDS
    fetch_notices: tuple[str, ...] = ()
    bundles_silent_seconds: float = 0.0
    shadow: ShadowStatus | None = None
    ocsp: OcspReport = NOTHING_ASKED

    @property
    def is_ready(self) -> bool:
        """Whether this process should get requests."""
        return self.is_open and self.policy.is_good and not self.draining

    @property
    def is_open(self) -> bool:
        """Whether its listeners take connections as the policy wants them."""
        return self.listening and self.front.is_prepared

    @property
    def state(self) -> str:
        """One word for people: `starting serving last_good unavailable draining`."""
        if self.draining:
            return "draining"
        if not self.is_open and self.policy.is_good:
            return PolicyState.STARTING
        return self.policy.state


#: From the worst to the best: the state of a service is that of its worst process.
_STATES = ("silent", PolicyState.UNAVAILABLE, "draining", PolicyState.STARTING, PolicyState.LAST_GOOD)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """All serving processes of a service; None is one that is dead, not yet heard of, or silent for too long."""

    processes: tuple[ProcessStatus | None, ...]
    observe: bool
    restarts: int = 0
    draining: bool = False

    @property
    def known(self) -> tuple[ProcessStatus, ...]:
        """The processes that speak."""
        return tuple(process for process in self.processes if process is not None)

    @property
    def is_ready(self) -> bool:
        """Whether every process is on a good generation."""
        return not self.draining and all(process is not None and process.is_ready for process in self.processes)

    @property
    def state(self) -> str:
        """The state of the worst process."""
        if self.draining:
            return "draining"
        states = {"silent" if process is None else process.state for process in self.processes}
        return next((state for state in _STATES if state in states), PolicyState.SERVING)

    @property
    def generation(self) -> str | None:
        """The generation that all processes serve; None while they differ or have none."""
        generations = {None if process is None else process.policy.generation for process in self.processes}
        return generations.pop() if len(generations) == 1 else None

    def json(self) -> dict[str, object]:
        """The body of `/readyz`."""
        problems = {str(problem): None for process in self.known for problem in process.policy.problems}
        return {
            "ready": self.is_ready,
            "state": self.state,
            "generation": self.generation,
            "rules": max((process.policy.rules for process in self.known), default=0),
            "observe": self.observe,
            "notices": list({notice: None for process in self.known for notice in self._notices(process)}),
            "problem_count": max((process.policy.problem_count for process in self.known), default=0),
            "problems": list(problems)[:MAX_SHOWN_PROBLEMS],
            "workers": [_process_json(process) for process in self.processes],
        }

    def _notices(self, process: ProcessStatus) -> list[str]:
        notices = [*process.front.notices, *process.fetch_notices, *process.ocsp.notices]
        if self.observe:
            notices.insert(
                0,
                "--observe: every request is permitted, whatever is decided; the handshake still refuses callers",
            )
        if process.policy.unsettled:
            notices.append("the policy never lies still, so it is not read")
        if process.shadow is not None:
            notices.extend(process.shadow.notices)
        return notices


def _shadow_generation(process: ProcessStatus) -> str | None:
    return None if process.shadow is None else process.shadow.policy.generation


def _process_json(process: ProcessStatus | None) -> dict[str, object]:
    if process is None:
        return {"ready": False, "state": "silent"}
    policy = process.policy
    return {
        "ready": process.is_ready,
        "state": process.state,
        "pid": process.pid,
        "generation": policy.generation,
        "shadow_generation": _shadow_generation(process),
        "loaded_at": policy.loaded_at,
        "failed_at": policy.failed_at,
    }
