"""The policy in force -> the snapshot that the fleet is to have, in a thread of its own, when changes have settled.

A policy that cannot be compiled or encoded is reported, and the fleet keeps what it has, whole (law 4).
"""

from collections.abc import Callable, Sequence
from math import inf
from threading import Event, Thread
from time import monotonic, time
from typing import Protocol

from extauth.wire.encode import extension_from_filter
from extauth.wire.errors import EncodeError
from extauth.xds.errors import ResourceError
from extauth.xds.limits import (
    DEBOUNCE_SECONDS,
    MAX_DEBOUNCE_SECONDS,
    MAX_NAME_CHARS,
    MAX_SNAPSHOT_BYTES,
    RENEW_LOOK_SECONDS,
)
from extauth.xds.resource_types import FILTER, SECRET
from extauth.xds.secrets import secrets_from_trust
from extauth.xds.snapshot import Snapshot
from policies.engine.policy_set import PolicySet
from runtime.envoy.proto_json import Json
from runtime.live_policy import LivePolicy
from runtime.service_log import service_logger

_LOGGER = service_logger("xds")

#: The HTTP filters of a policy, in the order of the chain, as protobuf's JSON: `{"name": …, "typed_config": {…}}`.
#: Names and number are the same for every policy, as the listeners of the fleet have one place for each.
FiltersFromPolicy = Callable[[PolicySet], Sequence[Json]]


def never() -> float:
    """For filters that hold without end."""
    return inf


class Publisher(Protocol):
    """Who passes snapshots on; `Hub` does."""

    def publish(self, snapshot: Snapshot) -> None:
        """The fleet is to have this."""
        ...

    def report_problem(self, problem: str) -> None:
        """The policy in force cannot be delivered."""
        ...


def snapshot_from_policy(policy: PolicySet, filters_from_policy: FiltersFromPolicy) -> Snapshot:
    """Everything that Envoys get for `policy`. Raises EncodeError or ResourceError."""
    filters: dict[str, bytes] = {}
    for position, http_filter in enumerate(filters_from_policy(policy)):
        name = http_filter.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or name in filters:
            raise ResourceError(f"filter {position} needs a name of its own, at most {MAX_NAME_CHARS} characters")
        try:
            filters[name] = extension_from_filter(http_filter)
        except EncodeError as error:
            raise error.inside(f"filter {name}") from None
    if not filters:
        raise ResourceError("the policy was compiled to no filter at all, which would let everything pass")
    snapshot = Snapshot(policy.generation, {FILTER: filters, SECRET: secrets_from_trust(policy.trust)})
    if snapshot.size > MAX_SNAPSHOT_BYTES:
        raise ResourceError(f"the resources have {snapshot.size} bytes, at most {MAX_SNAPSHOT_BYTES} are delivered")
    return snapshot


class SnapshotSource:
    """Watches one policy for one publisher.

    `until`: when the filters that were compiled last are to be compiled again, though the policy is the same (epoch
    seconds): a CA has ended, or what it is now is not what it was.
    """

    def __init__(
        self,
        live: LivePolicy,
        filters_from_policy: FiltersFromPolicy,
        publisher: Publisher,
        until: Callable[[], float] = never,
        clock: Callable[[], float] = time,
    ) -> None:
        self._live = live
        self._filters_from_policy = filters_from_policy
        self._until = until
        self._clock = clock
        self._made_at = 0.0
        self._publisher = publisher
        self._made_of: PolicySet | None = None
        self._changed = Event()
        self._ending = Event()
        self._thread = Thread(target=self._watch, name="xds-source", daemon=True)
        live.on_change(self._changed.set)

    def start(self) -> None:
        """Make the first snapshot, if there is a policy, and then one for each new policy."""
        self.renew()
        self._thread.start()

    def stop(self) -> None:
        """Make no more."""
        self._ending.set()
        self._changed.set()
        if self._thread.is_alive():
            self._thread.join()

    def renew(self) -> None:
        """Publish the policy in force, unless it was published before and holds still."""
        policy, now = self._live.current, self._clock()
        # What could not be made better at its end is not made again and again.
        ended = self._made_at < self._until() <= now
        if policy is None or (policy is self._made_of and not ended):
            return
        self._made_of, self._made_at = policy, now
        try:
            snapshot = snapshot_from_policy(policy, self._filters_from_policy)
        except Exception as error:
            _LOGGER.exception(
                "the policy cannot be sent, the fleet keeps what it has",
                extra={"facts": {"generation": policy.generation}},
            )
            self._publisher.report_problem(f"generation {policy.generation}: {error}")
            return
        self._publisher.publish(snapshot)

    def _watch(self) -> None:
        while not self._ending.is_set():
            if self._changed.wait(RENEW_LOOK_SECONDS):
                self._settle()
            if self._ending.is_set():
                return
            try:
                self.renew()
            except Exception:
                _LOGGER.exception("publishing a snapshot failed, going on")

    def _settle(self) -> None:
        """Wait until nothing has changed for a while, or something has been changing for too long."""
        last = monotonic() + MAX_DEBOUNCE_SECONDS
        while True:
            self._changed.clear()
            if self._ending.is_set() or not self._changed.wait(DEBOUNCE_SECONDS) or monotonic() > last:
                return
