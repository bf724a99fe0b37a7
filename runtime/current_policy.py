"""Whatever holds a policy that may change."""

from typing import Protocol

from policies.engine.policy_set import PolicySet


class CurrentPolicy(Protocol):
    """Read it once for each request; `LivePolicy` is one."""

    @property
    def current(self) -> PolicySet | None:
        """The policy, None if there has never been a good one."""
        ...
