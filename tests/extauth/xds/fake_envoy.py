"""An Envoy as the protocol sees it, in both forms: it applies resources in turn, and keeps what precedes a bad one."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from extauth.wire.messages import (
    BuildVersion,
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Node,
    Status,
)
from extauth.xds.fleet import Fleet
from extauth.xds.resource_types import FILTER
from extauth.xds.snapshot import Snapshot, Snapshots
from extauth.xds.stream import DeltaStream, Outgoing, StateOfTheWorldStream

FILTERS = ("a", "b")
BAD = b"bad"


def snapshot(generation: str, *, bad: Iterable[str] = (), names: Iterable[str] = FILTERS) -> Snapshot:
    """Filters that tell their name and generation; `bad`: those that no Envoy takes."""
    refused = set(bad)
    filters = {name: BAD if name in refused else f"{name}@{generation}".encode() for name in names}
    return Snapshot(generation, {FILTER: filters})


def node_of(name: str) -> Node:
    version = BuildVersion(version=BuildVersion.SemanticVersion(major_number=1, minor_number=40))
    return Node(id=name, cluster="c", user_agent_build_version=version)


@dataclass
class FakeEnvoy:
    """One process. `applied`: what it runs with; `seen`: every version it was sent, in order."""

    delta: bool
    name: str = "envoy"
    names: tuple[str, ...] = FILTERS
    type_url: str = FILTER
    address: str = "192.0.2.1"
    applied: dict[str, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    _version: str = ""
    _versions: dict[str, str] = field(default_factory=dict)
    _nonce: str = ""

    @property
    def generations(self) -> set[str]:
        """Of what is applied."""
        return {payload.decode().partition("@")[2] for payload in self.applied.values()}

    @property
    def has_taken_something(self) -> bool:
        """Whether it names a version when it connects; without one it looks like a new process."""
        return bool(self._version or self._versions)

    def stream(self, fleet: Fleet, snapshots: Snapshots, now: float = 0.0, caller: str = "id") -> "Talk":
        """Connect."""
        self._nonce = ""
        kind = DeltaStream if self.delta else StateOfTheWorldStream
        return Talk(self, kind(caller, self.address, fleet, snapshots, now))

    def first_request(self) -> bytes:
        """What it says on a new stream."""
        if self.delta:
            return DeltaDiscoveryRequest(
                node=node_of(self.name),
                type_url=self.type_url,
                resource_names_subscribe=self.names,
                initial_resource_versions=self._versions,
            ).SerializeToString()
        return DiscoveryRequest(
            node=node_of(self.name), type_url=self.type_url, resource_names=self.names, version_info=self._version
        ).SerializeToString()

    def answer(self, message: bytes) -> bytes:
        """Apply a push; what it says to it."""
        return self._delta_answer(message) if self.delta else self._answer(message)

    def _apply(self, resources: Iterable[tuple[str, bytes]]) -> str:
        for name, payload in resources:
            if payload == BAD:
                return f"{name} is bad"
            if name in self.names:
                self.applied[name] = payload
        return ""

    def _answer(self, message: bytes) -> bytes:
        push = DiscoveryResponse.FromString(message)
        self.seen.append(push.version_info)
        self._nonce = push.nonce
        # The name is in the payload here; of a real filter, too.
        names = dict(zip(sorted(self.names), push.resources, strict=False))
        error = self._apply((name, item.value) for name, item in names.items())
        if not error:
            self._version = push.version_info
        return self.request(error)

    def request(self, error: str = "") -> bytes:
        """State of the world: what it says after the first request."""
        request = DiscoveryRequest(
            type_url=self.type_url,
            resource_names=self.names,
            version_info=self._version,
            response_nonce=self._nonce,
        )
        if error:
            request.error_detail.CopyFrom(Status(code=13, message=error))
        return request.SerializeToString()

    def _delta_answer(self, message: bytes) -> bytes:
        push = DeltaDiscoveryResponse.FromString(message)
        self.seen.append(push.system_version_info)
        error = self._apply((item.name, item.resource.value) for item in push.resources)
        if not error:
            self._versions |= {item.name: item.version for item in push.resources}
            for name in push.removed_resources:
                self.applied.pop(name, None)
                self._versions.pop(name, None)
        answer = DeltaDiscoveryRequest(type_url=self.type_url, response_nonce=push.nonce)
        if error:
            answer.error_detail.CopyFrom(Status(code=13, message=error))
        return answer.SerializeToString()


@dataclass
class Talk:
    """One stream between a fake Envoy and the service, with what is on its way to the Envoy."""

    envoy: FakeEnvoy
    stream: StateOfTheWorldStream | DeltaStream
    on_the_way: list[Outgoing] = field(default_factory=list)

    def begin(self, now: float = 0.0) -> "Talk":
        """The first request."""
        self.say(self.envoy.first_request(), now)
        return self

    def say(self, request: bytes, now: float = 0.0) -> None:
        """One request."""
        self.on_the_way += self.stream.received(request, now)

    def refresh(self, now: float = 0.0) -> None:
        """There is another snapshot."""
        self.on_the_way += self.stream.due(now)

    def hear(self, now: float = 0.0) -> bool:
        """The Envoy reads the next push and answers; False if there is none."""
        if not self.on_the_way:
            return False
        self.say(self.envoy.answer(self.on_the_way.pop(0).message), now)
        return True

    def settle(self, most: int = 20) -> None:
        """Until nothing is on its way."""
        for _ in range(most):
            if not self.hear():
                return
        raise AssertionError("they never come to an end")
