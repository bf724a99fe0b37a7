"""SPIFFE bundles that Workload APIs keep up to date, off the way of any request.

Each process listens for itself, to each Workload API in a thread of its own. What changes becomes a new generation as a
changed file does (`runtime.policy_source`).
"""

from collections.abc import Callable, Collection
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from policies.peer.bundle_source import BundleSource, WorkloadApi
from runtime.jitter import JITTER
from runtime.limits import MAX_WORKLOAD_APIS
from runtime.metrics import Metrics

if TYPE_CHECKING:
    from runtime.workload_stream import WorkloadStream


class WorkloadBundles:
    """Every Workload API of one process: the `ToldBundles` of a policy source. `jitter`: 0 to 1, for each wait."""

    def __init__(self, metrics: Metrics, jitter: Callable[[], float] = JITTER) -> None:
        self._metrics = metrics
        self._jitter = jitter
        self._lock = Lock()
        self._streams: dict[WorkloadApi, WorkloadStream] = {}
        self._unasked: dict[WorkloadApi, None] = {}

    def latest(self, source: BundleSource) -> bytes | None:
        """The last good bundle, at once. An API that is named for the first time is listened to from now on."""
        with self._lock:
            stream = self._streams.get(source.api)
            if stream is None:
                if len(self._streams) >= MAX_WORKLOAD_APIS:
                    self._unasked[source.api] = None
                    return None
                stream = self._streams[source.api] = self._opened(source.api)
            return stream.told.latest(source.trust_domain)

    def keep(self, sources: Collection[BundleSource]) -> None:
        """Listen to no others any more."""
        with self._lock:
            wanted = {source.api for source in sources}
            for api in [known for known in self._streams if known not in wanted]:
                self._streams.pop(api).end()
            for api, stream in self._streams.items():
                stream.told.keep(source.trust_domain for source in sources if source.api == api)
            self._unasked = {api: None for api in self._unasked if api in wanted and api not in self._streams}

    def wait_for_first(self, seconds: float) -> bool:
        """Wait until each has answered or failed once, at most `seconds`; whether any told a bundle."""
        ends = monotonic() + seconds
        with self._lock:
            streams = tuple(self._streams.values())
        for stream in streams:
            stream.tried.wait(max(0.0, ends - monotonic()))
        return any(stream.told.any_good for stream in streams)

    def refresh(self) -> None:
        """Ask those that are gone again now."""
        with self._lock:
            for stream in self._streams.values():
                stream.ask_again()

    def silent_seconds(self) -> float:
        """The longest time for which one of them has told nothing because it is gone."""
        with self._lock:
            return max((stream.silent_seconds for stream in self._streams.values()), default=0.0)

    def notices(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        with self._lock:
            found = [notice for stream in self._streams.values() for notice in stream.notices()]
            beyond = [f"the Workload API {api} is not asked: at most {MAX_WORKLOAD_APIS} are" for api in self._unasked]
        return (*found, *beyond)

    def stop(self) -> None:
        """End all."""
        self.keep(())

    def _opened(self, api: WorkloadApi) -> "WorkloadStream":
        # gRPC reads its environment when it is imported, and most policies need none of it.
        from runtime.workload_stream import WorkloadStream  # noqa: PLC0415

        return WorkloadStream(api, self._metrics, self._jitter)
