"""A fresh process that serves from a policy while it is reloaded: `python -m bench.reload_probe SIZE RELOADS SECONDS`.

SIZE: rules. SECONDS: of requests without a reload, before each. Answered as JSON.

A thread asks for a decision every millisecond, whether or not the one before was late: a request that came while
another waited has waited too. The policy is reloaded as in a service, by its own watcher, after the file changed.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, perf_counter, sleep

from bench.scenario import Mesh, spread
from policies.engine.evaluate import evaluate
from runtime.live_policy import LivePolicy
from runtime.metrics import Metrics
from runtime.policy_source import PolicySource

#: Seconds between two requests.
PACE = 0.001
#: Seconds after a new generation that still count as with the reload: the old one is let go of then.
AFTER_SECONDS = 0.8
#: Seconds after which a reload that has not come will not come.
PATIENCE_SECONDS = 60.0


class SteadyRequests:
    """Requests at a steady pace. `latencies`: seconds from the instant a request was due to its decision."""

    def __init__(self, live: LivePolicy, mesh: Mesh, size: int) -> None:
        callers = mesh.callers(spread(size, 8))
        self._requests = [caller.request(caller.presented(), mesh.time) for caller in callers]
        self._live = live
        self._stop = Event()
        self._thread = Thread(target=self._run, name="requests")
        self.latencies: list[float] = []
        self.not_allowed = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def taken(self) -> list[float]:
        """What was measured since the last time."""
        taken, self.latencies = self.latencies, []
        return taken

    def _run(self) -> None:
        due = perf_counter()
        while not self._stop.is_set():
            due += PACE
            pause = due - perf_counter()
            if pause > 0:
                sleep(pause)
            policy = self._live.current
            request = self._requests[len(self.latencies) % len(self._requests)]
            if policy is None or not evaluate(policy, request).allowed:
                self.not_allowed += 1
            self.latencies.append(perf_counter() - due)


def measured(size: int, reloads: int, quiet_seconds: float) -> dict[str, list[list[float]]]:
    """Latencies in seconds, one list for each time without (`quiet`) and with (`reload`) a reload, in turn.

    `took`: how long each reload took from the change of the file.
    """
    mesh = Mesh.new()
    with TemporaryDirectory() as folder:
        path = mesh.write(Path(folder), size)
        live = LivePolicy(PolicySource(str(path)), Metrics())
        live.start()
        requests = SteadyRequests(live, mesh, size)
        requests.start()
        try:
            sleep(AFTER_SECONDS)
            return _phases(path, live, requests, reloads, quiet_seconds)
        finally:
            requests.stop()
            live.stop()


def _phases(
    path: Path, live: LivePolicy, requests: SteadyRequests, reloads: int, quiet_seconds: float
) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {"quiet": [], "reload": [], "took": []}
    for number in range(reloads):
        requests.taken()
        sleep(quiet_seconds)
        found["quiet"].append(requests.taken())
        found["took"].append([_reload(path, live, number)])
        sleep(AFTER_SECONDS)
        found["reload"].append(requests.taken())
    if requests.not_allowed:
        raise ValueError(f"{requests.not_allowed} requests were not allowed")
    return found


def _reload(path: Path, live: LivePolicy, number: int) -> float:
    """Change the file; seconds until the new policy is in force."""
    before, changed = live.current, monotonic()
    with path.open("a", encoding="utf-8") as file:
        file.write(f"# {number}\n")
    while live.current is before:
        if monotonic() - changed > PATIENCE_SECONDS:
            raise TimeoutError(f"no reload within {PATIENCE_SECONDS:g} s: {live.status}")
        sleep(0.01)
    return monotonic() - changed


def main(arguments: list[str]) -> None:
    """Measure, and print one JSON object."""
    size, reloads, quiet_seconds = arguments
    print(json.dumps(measured(int(size), int(reloads), float(quiet_seconds))))


if __name__ == "__main__":
    main(sys.argv[1:])
