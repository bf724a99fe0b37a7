"""What health detail says about the policy of one process."""

from dataclasses import dataclass, replace
from enum import StrEnum

from policies.language.problem import Problem
from runtime.limits import MAX_SHOWN_PROBLEMS


class PolicyState(StrEnum):
    """How a process stands to its policy."""

    STARTING = "starting"
    SERVING = "serving"
    LAST_GOOD = "last_good"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The policy in force and what became of the last reading.

    - `problems`: of the last reading; empty unless `state` is LAST_GOOD or UNAVAILABLE. `problem_count` counts also
      those that a shortened status leaves out.
    - `loaded_at`, `failed_at`: epoch seconds, None = never.
    - `unsettled`: the source has been changing for so long that nothing can be read.
    """

    state: PolicyState = PolicyState.STARTING
    generation: str | None = None
    rules: int = 0
    problems: tuple[Problem, ...] = ()
    loaded_at: float | None = None
    failed_at: float | None = None
    unsettled: bool = False
    problem_count: int = 0

    def shortened(self) -> "PolicyStatus":
        """With no more problems than are shown: small enough to be sent every second."""
        return replace(self, problems=self.problems[:MAX_SHOWN_PROBLEMS])

    @property
    def is_good(self) -> bool:
        """Whether a complete generation is in force."""
        return self.generation is not None
