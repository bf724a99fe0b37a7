"""One type on one stream: what the Envoy asks for, what it has, and what it is sent next. No bytes, no clock, no gRPC.

Laws, for both forms of the protocol:

- At most one answer is under way. What changes meanwhile is sent when the Envoy has spoken, and only the newest.
- What the Envoy has is not sent.
- What it has refused is not sent again until it changes. Envoy applies the resources of an answer one by one and keeps
  those before the one that it refuses, so after a refusal it is sent the whole of its last good version, once.
- Only an answer to what was sent last counts as one; what carries another nonce is old.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from extauth.xds.fleet import Confirmed
from extauth.xds.snapshot import Selection, Snapshots, generation_of


class Push(NamedTuple):
    """What is sent. `names`: what it is about, in the delta form."""

    nonce: str
    selection: Selection
    names: frozenset[str]


class Answer(NamedTuple):
    """What an Envoy says about a push. `refusal`: why it did not take it; None if it did."""

    nonce: str
    refusal: str | None


class Refusal(NamedTuple):
    """What an Envoy did not take, and its words on it."""

    type_url: str
    version: str
    error: str


class Subscription(ABC):
    """What both forms have in common.

    `names`: what is subscribed to. `refusal`: the last one, for whoever takes it away.
    """

    def __init__(self, type_url: str, confirmed: Confirmed) -> None:
        self.type_url = type_url
        self.names: frozenset[str] = frozenset()
        self.under_way: Push | None = None
        self.refusal: Refusal | None = None
        self.sent_at = 0.0
        self._confirmed = confirmed
        self._count = 0

    def next(self, snapshots: Snapshots, now: float) -> Push | None:
        """What is to be sent now, if anything. `now`: epoch seconds."""
        wanted = snapshots.selection(self.type_url, self.names)
        if wanted is None:
            return None
        confirmed = self._confirmed
        confirmed.missing, confirmed.unknown = wanted.missing, wanted.unknown
        if self.under_way is not None or not wanted.version:
            return None
        lacking = self._lacking(wanted)
        if lacking and wanted.version == confirmed.rejected:
            return self._restoration(snapshots, now)
        if lacking:
            return self._push(wanted, lacking, now)
        if confirmed.acked != wanted.version:
            # By its own word: from another replica, or from before this one was started.
            confirmed.acknowledged(wanted.version, now)
        return None

    def is_settled(self, snapshots: Snapshots) -> bool:
        """Whether the Envoy has what it should have of this type, the whole of it."""
        wanted = snapshots.selection(self.type_url, self.names)
        if wanted is None or self.under_way is not None or wanted.missing:
            return False
        return not self._lacking(wanted)

    @property
    @abstractmethod
    def is_empty(self) -> bool:
        """Whether the Envoy has nothing of this type yet."""

    def _answered(self, answer: Answer, now: float) -> Push | None:
        """Take in an answer; what the Envoy has taken, if it has."""
        push = self.under_way
        if push is None or answer.nonce != push.nonce:
            return None
        self.under_way = None
        if answer.refusal is not None:
            self.refusal = Refusal(self.type_url, push.selection.version, answer.refusal)
            self._confirmed.refused(push.selection.version, answer.refusal, now)
            return None
        self._confirmed.acknowledged(push.selection.version, now)
        return push

    def _restoration(self, snapshots: Snapshots, now: float) -> Push | None:
        confirmed = self._confirmed
        if confirmed.restored or not confirmed.acked:
            return None
        good = snapshots.earlier(self.type_url, self.names, confirmed.acked)
        # Of one resource an Envoy has all or nothing.
        if good is None or len(good.resources) < 2:
            return None
        confirmed.restored = True
        return self._push(good, frozenset(good.resources), now)

    def _push(self, selection: Selection, names: frozenset[str], now: float) -> Push:
        self._count += 1
        self.under_way = Push(str(self._count), selection, names)
        self.sent_at = now
        self._confirmed.pushed(selection.version, now)
        return self.under_way

    @abstractmethod
    def _lacking(self, wanted: Selection) -> frozenset[str]:
        """The names of which the Envoy has not what it should have."""


class StateOfTheWorld(Subscription):
    """Each request names everything that is subscribed to, and the version that the Envoy has."""

    def __init__(self, type_url: str, confirmed: Confirmed) -> None:
        super().__init__(type_url, confirmed)
        self._held: str | None = None

    def requested(self, names: frozenset[str], held: str, answer: Answer, now: float) -> None:
        """Take in a request. `held`: its `version_info`."""
        if self._held is None:
            # The first one: its nonce, if any, is of another stream.
            self._held, self.names = held, names
            if not held:
                self._confirmed.begins_anew()
            elif generation_of(held):
                self._confirmed.acknowledged(held, now)
            return
        if answer.nonce != str(self._count or ""):
            # It was written before the last push arrived; the answer to that one says all of this again.
            return
        self.names = names
        if self.under_way is not None and answer.refusal is None and held != self.under_way.selection.version:
            answer = answer._replace(refusal="the answer names another version than it was sent, without an error")
        taken = self._answered(answer, now)
        if taken is not None:
            self._held = taken.selection.version

    @property
    def is_empty(self) -> bool:
        """Whether it says so."""
        return not self._held

    def _lacking(self, wanted: Selection) -> frozenset[str]:
        return self.names if self._held != wanted.version else frozenset()


class Delta(Subscription):
    """A request tells what changed in the subscription, or answers a push, or both; each resource has its version."""

    def __init__(self, type_url: str, confirmed: Confirmed) -> None:
        super().__init__(type_url, confirmed)
        self._held: dict[str, str] = {}
        self._begun = False

    def requested(
        self, added: frozenset[str], removed: frozenset[str], held: Mapping[str, str], answer: Answer, now: float
    ) -> None:
        """Take in a request. `held`: its `initial_resource_versions`, which count in the first one only."""
        if self._begun:
            taken = self._answered(answer, now)
            if taken is not None:
                versions = {name: taken.selection.version_of(name) for name in taken.names & self.names}
                self._held.update(versions)
        self.names = self.names - removed | added
        # Who subscribes again has forgotten what it had.
        for name in added | removed:
            self._held.pop(name, None)
        if not self._begun:
            self._begun = True
            self._held = {name: version for name, version in held.items() if name in self.names}
            if not self._held:
                self._confirmed.begins_anew()

    @property
    def is_empty(self) -> bool:
        """Whether it says so."""
        return not self._held

    def _lacking(self, wanted: Selection) -> frozenset[str]:
        return frozenset(name for name in self.names if self._held.get(name) != wanted.version_of(name))
