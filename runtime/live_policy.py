"""The policy in force, kept up to date with its source.

Law 3: a set loads whole or not at all. Law 4: a bad reload keeps the last good set, and says so in log, metric and
health detail. Law 5: `current` is one complete generation; whoever decides reads it once.
"""

from collections.abc import Callable
from dataclasses import replace
from threading import Event, Thread
from time import monotonic, time

from policies.engine.policy_set import PolicySet
from policies.language.codes import Code
from policies.language.load import Loaded, load_policy
from policies.language.load_memory import NOTHING_LOADED, LoadMemory
from policies.language.problem import Position, Problem
from policies.peer.ocsp import OcspQuestion
from runtime.folder_watch import FolderWatch
from runtime.limits import (
    FIRST_FETCH_SECONDS,
    MAX_SHOWN_PROBLEMS,
    NAMED_CRL_REST,
    SET_ASIDE_SECONDS,
    SETTLE_SECONDS,
    SWEEP_SECONDS,
    UNSETTLED_SECONDS,
)
from runtime.low_pause import LOW_PAUSE, release
from runtime.metrics import Metrics
from runtime.policy_role import ENFORCED, PolicyRole
from runtime.policy_source import PolicyReading, PolicySource
from runtime.policy_status import PolicyState, PolicyStatus
from runtime.service_log import service_logger

_LOGGER = service_logger("policy")

Loader = Callable[[PolicyReading, PolicySet | None, LoadMemory], Loaded]


def loaded_from_reading(
    reading: PolicyReading, previous: PolicySet | None = None, memory: LoadMemory = NOTHING_LOADED
) -> Loaded:
    """The policy that was read, or every problem of files, language and references together."""
    if not reading.files:
        return Loaded(None, reading.problems, memory)
    loaded = load_policy(reading.files, reading, previous, reading.live, memory)
    if not reading.problems:
        return loaded
    return Loaded(None, tuple(sorted({*reading.problems, *loaded.problems})), loaded.memory)


class LivePolicy:
    """The policy of one process. `current` is read for every request; None = there has never been a good set."""

    def __init__(
        self,
        source: PolicySource,
        metrics: Metrics,
        *,
        loader: Loader = loaded_from_reading,
        role: PolicyRole = ENFORCED,
    ) -> None:
        self.current: PolicySet | None = None
        self.status = PolicyStatus()
        self._source = source
        self._loads = metrics.policy_loads[role]
        self._role = role
        self._loader = loader
        self._listeners: list[Callable[[], None]] = []
        self._reading: PolicyReading | None = None
        self._memory = NOTHING_LOADED
        self._retired: list[object] = []
        self._signature: tuple[object, ...] = ()
        # From when on, by the monotonic clock, what leaves name is a reason to read again.
        self._rested = 0.0
        self._folders: tuple[str, ...] = ()
        self._wake = Event()
        self._stop = Event()
        self._forced = Event()
        self._thread = Thread(target=self._watch, name="policy-watch", daemon=True)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every reading, in the thread that loads; it reads `current` and `status` itself."""
        self._listeners.append(listener)

    def forget(self, question: OcspQuestion) -> None:
        """The answer of an OCSP responder has changed; from now on callers are judged by what is known now."""
        policy = self.current
        if policy is not None:
            policy.forget(question)

    def start(self) -> None:
        """Load for the first time, then watch in a thread. A policy with problems is no error (law 4)."""
        with LOW_PAUSE.during_load():
            reading = self._source.reading()
            loaded = self._loaded(reading)
            # What a policy names is known by loading it. A bundle that comes at once is no reason for an alarm.
            if reading.bundle_sources and self._source.bundles.wait_for_first(FIRST_FETCH_SECONDS):
                self._read_once()
            else:
                self._take(reading, loaded)
            # What is revoked must not pass just because the process is young.
            if self._source.crls.wait_for_first(FIRST_FETCH_SECONDS):
                self._read_once()
            LOW_PAUSE.set_aside()
        self._retired.clear()
        self._thread.start()

    def start_later(self) -> None:
        """Load and watch in a thread; nobody waits for the first load."""
        self._thread.start()

    def reload(self) -> None:
        """Read again, changed or not; returns at once. For SIGHUP."""
        self._forced.set()
        self._wake.set()

    def stop(self) -> None:
        """End the watching. What is in force stays in force."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(SWEEP_SECONDS)

    def _watch(self) -> None:
        folders = FolderWatch(self._wake)
        while not self._stop.is_set():
            try:
                if self._is_due():
                    folders.close()
                    self._read_settled()
                else:
                    folders.wait(self._folders, SWEEP_SECONDS)
            except Exception:
                _LOGGER.exception(self._role.watch_failed)
                self._stop.wait(SWEEP_SECONDS)
            self._wake.clear()

    def _is_due(self) -> bool:
        """Whether the policy is to be read: somebody asked, or what it is made of has changed since it was read."""
        reading = self._reading
        if self._forced.is_set() or reading is None or not reading.is_latest():
            return True
        if monotonic() >= self._rested and not reading.is_latest_of_leaves():
            return True
        signature = reading.signature()
        if signature == self._signature:
            return False
        if not reading.is_current():
            return True
        self._signature = signature
        return False

    def _read_settled(self) -> None:
        """Read when no file has changed for a while, again and again until none changes while it is read.

        What is fetched and told meanwhile is of the next reading: whoever publishes it cannot put this one off.
        """
        self._forced.clear()
        since = monotonic()
        while True:
            reading = self._source.reading()
            before = self._signatures(reading)
            if self._stop.wait(SETTLE_SECONDS):
                return
            if self._signatures(reading) == before and reading.is_current():
                began = monotonic()
                with LOW_PAUSE.during_load():
                    if self._read_once():
                        self._rested = monotonic() + NAMED_CRL_REST * (monotonic() - began)
                        # Requests that began under the old set still hold it; what is left then stays.
                        self._stop.wait(SET_ASIDE_SECONDS)
                        release(self._retired)
                        LOW_PAUSE.set_aside()
                        return
            if monotonic() - since > UNSETTLED_SECONDS:
                since = monotonic()
                self._say_unsettled()

    def _signatures(self, reading: PolicyReading) -> tuple[object, ...]:
        """Of the files that are there now, and of those that the last policy named."""
        return reading.signature(), self._reading.signature() if self._reading is not None else ()

    def _read_once(self) -> bool:
        """Read and load; False, with nothing changed, if the source changed meanwhile."""
        reading = self._source.reading()
        return self._take(reading, self._loaded(reading))

    def _take(self, reading: PolicyReading, loaded: Loaded) -> bool:
        """Take over what was read and loaded; False as `_read_once`."""
        signature = reading.signature()
        if not reading.is_current():
            return False
        reading.forget_contents()
        if loaded.policy is not None:
            self._source.crls.keep(reading.crl_sources)
            self._source.bundles.keep(reading.bundle_sources)
        self._reading, self._signature, self._folders = reading, signature, reading.watched_folders()
        self._put_in_force(loaded)
        return True

    def _loaded(self, reading: PolicyReading) -> Loaded:
        try:
            loaded = self._loader(reading, self.current, self._memory)
        except Exception as error:
            _LOGGER.exception(self._role.load_failed)
            at = Position(reading.path, 0, 0)
            return Loaded(None, (Problem(at, Code.INTERNAL_ERROR, f"the policy could not be loaded: {error!r}"),))
        self._memory = loaded.memory
        return loaded

    def _put_in_force(self, loaded: Loaded) -> None:
        policy = loaded.policy
        if policy is None:
            self._keep_last_good(loaded.problems)
        else:
            known = self.current is not None and self.current.content_sha256 == policy.content_sha256
            if not known:
                self._retired.append(self.current)
                self.current = policy
            rules = len(policy.rule_ids)
            self.status = PolicyStatus(PolicyState.SERVING, policy.generation, rules, loaded_at=time())
            self._loads.taken.inc()
            message = self._role.same if known else self._role.taken
            _LOGGER.info(message, extra={"facts": {"generation": policy.generation, "rules": rules}})
        for listener in self._listeners:
            try:
                listener()
            except Exception:
                _LOGGER.exception("telling about the new policy failed")

    def _keep_last_good(self, problems: tuple[Problem, ...]) -> None:
        state = PolicyState.UNAVAILABLE if self.current is None else PolicyState.LAST_GOOD
        self.status = replace(
            self.status,
            state=state,
            problems=problems,
            problem_count=len(problems),
            failed_at=time(),
            unsettled=False,
        )
        self._loads.refused.inc()
        message = self._role.none if self.current is None else self._role.kept
        facts = {"generation": self.status.generation or "", "problems": len(problems)}
        _LOGGER.error(message, extra={"facts": facts})
        for problem in problems[:MAX_SHOWN_PROBLEMS]:
            _LOGGER.error(self._role.problem, extra={"facts": {"problem": str(problem)}})

    def _say_unsettled(self) -> None:
        self.status = replace(self.status, unsettled=True)
        _LOGGER.warning(self._role.unsettled, extra={"facts": {"path": self._source.path}})
