"""The next policy of a process (`--shadow-policy`): loaded, watched and asked beside the one in force, never enforced.

Law kept here: its problems are its own. It has its own watcher and its own fetched CRLs and bundles, it is loaded after
the process serves, and readiness does not depend on it.
"""

from dataclasses import dataclass

from runtime.crl_fetch import CrlFetches
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.ocsp_client import OcspClient
from runtime.policy_role import COMPARED
from runtime.policy_source import PolicySource
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.workload_bundles import WorkloadBundles

_FLAG = "--shadow-policy"


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """What health detail says of it in one process."""

    policy: PolicyStatus
    fetch_notices: tuple[str, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        """What an operator should know, in words."""
        return tuple(f"{_FLAG}: {notice}" for notice in (self._notice, *self.fetch_notices))

    @property
    def _notice(self) -> str:
        policy = self.policy
        if policy.unsettled:
            return "it never lies still, so it is not read"
        if policy.state is PolicyState.STARTING:
            return "not loaded yet, so nothing is compared"
        if policy.state is PolicyState.SERVING:
            return f"generation {policy.generation} is compared with what is enforced"
        compared = f"generation {policy.generation} is compared on" if policy.is_good else "nothing is compared"
        more = f"; and {policy.problem_count - 1} more" if policy.problem_count > 1 else ""
        return f"it has problems, {compared}: {policy.problems[0]}{more}"


class ShadowPolicy:
    """Loads and watches it. `live` holds what is compared."""

    def __init__(self, path: str, metrics: Metrics, ocsp: OcspClient) -> None:
        """`ocsp`: that of the process; what a responder says of a certificate is the same for every policy."""
        self._crls = CrlFetches(metrics)
        self._bundles = WorkloadBundles(metrics)
        source = PolicySource(path, self._crls, self._bundles, ocsp)
        self.live = LivePolicy(source, metrics, role=COMPARED)
        ocsp.on_change(self.live.forget)

    def start(self) -> None:
        """Load it in a thread: nobody waits for it."""
        self.live.start_later()

    def status(self) -> ShadowStatus:
        """What it is now."""
        return ShadowStatus(self.live.status.shortened(), (*self._crls.notices(), *self._bundles.notices()))

    def reload(self) -> None:
        """Read it again, and fetch its CRLs and bundles."""
        self._crls.refresh()
        self._bundles.refresh()
        self.live.reload()

    def stop(self) -> None:
        """End the watching and the fetching."""
        self.live.stop()
        self._crls.stop()
        self._bundles.stop()
