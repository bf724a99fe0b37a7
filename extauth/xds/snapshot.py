"""What the fleet is to have: the resources of one policy generation, encoded, with versions that mean their content.

A version is `<generation>+<digest>`: the generation of the policy, and a digest of exactly what is sent under it. Two
replicas that read the same policy give the same versions, so an Envoy that changes from one to the other gets nothing
again. The digest is there because a generation alone does not say everything: another release of peergate may compile
one policy differently, and an Envoy may have a version from before it asked for one name more. In both cases the
versions differ, and it is sent what it lacks.

Law 5 (one generation): of the HTTP filters an Envoy gets all or none, see `Selection.missing`.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from extauth.wire.messages import Any, ControlPlane, DeltaDiscoveryResponse, DiscoveryResponse, Resource
from extauth.xds.limits import KEPT_SNAPSHOTS, MAX_SELECTIONS
from extauth.xds.resource_types import FILTER, SECRET
from extauth.xds.secrets import secret_that_trusts_nobody

#: The version of a resource that does not exist.
ABSENT = "-"
_CONTROL_PLANE = ControlPlane(identifier="peergate")
_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True)
class Versioned:
    """One encoded resource, the payload of its `Any`."""

    version: str
    payload: bytes


@dataclass(frozen=True)
class Selection:
    """What a subscription to some names gets. `version`: of all of it together; empty if there is nothing to send.

    - `missing`: names that the Envoy would have to ask for, too. A chain with one of our filters and without another
      would be another policy, so that it gets none of them.
    - `unknown`: names that it asks for and that are not ours.
    """

    type_url: str
    version: str
    resources: Mapping[str, Versioned]
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    _deltas: dict[frozenset[str], bytes] = field(default_factory=dict, repr=False, compare=False)

    def version_of(self, name: str) -> str:
        """The version of one of the names that were asked for."""
        found = self.resources.get(name)
        return ABSENT if found is None else found.version

    @cached_property
    def body(self) -> bytes:
        """A DiscoveryResponse without its nonce: appended to it, as fields of a message may come in any order."""
        resources = [Any(type_url=self.type_url, value=item.payload) for item in self.resources.values()]
        answer = DiscoveryResponse(version_info=self.version, resources=resources, type_url=self.type_url)
        answer.control_plane.CopyFrom(_CONTROL_PLANE)
        return answer.SerializeToString()

    def delta_body(self, names: frozenset[str]) -> bytes:
        """A DeltaDiscoveryResponse about `names` without its nonce; those that are not here are removed."""
        found = self._deltas.get(names)
        if found is None:
            if len(self._deltas) >= MAX_SELECTIONS:
                self._deltas.clear()
            found = self._deltas[names] = self._delta_body(names)
        return found

    def _delta_body(self, names: frozenset[str]) -> bytes:
        answer = DeltaDiscoveryResponse(
            system_version_info=self.version,
            resources=[
                Resource(name=name, version=item.version, resource=Any(type_url=self.type_url, value=item.payload))
                for name, item in self.resources.items()
                if name in names
            ],
            removed_resources=sorted(names - self.resources.keys()),
            type_url=self.type_url,
        )
        answer.control_plane.CopyFrom(_CONTROL_PLANE)
        return answer.SerializeToString()


class Snapshot:
    """The resources of one generation: type URL -> name -> encoded resource. Immutable; used by many threads."""

    def __init__(self, generation: str, resources: Mapping[str, Mapping[str, bytes]]) -> None:
        self.generation = generation
        self.resources = resources
        self._selections: dict[tuple[str, frozenset[str]], Selection] = {}

    @property
    def size(self) -> int:
        """Bytes of all resources."""
        return sum(len(payload) for named in self.resources.values() for payload in named.values())

    def is_same(self, other: "Snapshot | None") -> bool:
        """Whether an Envoy that has `other` lacks nothing."""
        return other is not None and (self.generation, self.resources) == (other.generation, other.resources)

    def selection(self, type_url: str, names: frozenset[str]) -> Selection:
        """What a subscription of `type_url` to `names` gets."""
        key = type_url, names
        found = self._selections.get(key)
        if found is None:
            if len(self._selections) >= MAX_SELECTIONS:
                self._selections.clear()
            found = self._selections[key] = self._selected(type_url, names)
        return found

    def _selected(self, type_url: str, names: frozenset[str]) -> Selection:
        ours = self.resources.get(type_url, {})
        unknown = tuple(sorted(names - ours.keys()))
        missing = tuple(sorted(ours.keys() - names)) if type_url == FILTER and names else ()
        if missing or not names:
            return Selection(type_url, "", {}, missing, unknown)
        payloads = {name: payload for name, payload in ours.items() if name in names}
        if type_url == SECRET:
            # A trust entry that is gone must not go on being trusted, and saying nothing would leave the last one.
            payloads |= {name: secret_that_trusts_nobody(name) for name in unknown}
        resources = {name: Versioned(self._version([(name, payloads[name])]), payloads[name]) for name in payloads}
        version = self._version(sorted(payloads.items())) if payloads else ""
        return Selection(type_url, version, resources, (), unknown)

    def _version(self, items: Iterable[tuple[str, bytes]]) -> str:
        digest = hashlib.sha256()
        for name, payload in items:
            digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(payload).digest())
        return f"{self.generation}+{digest.hexdigest()[:_DIGEST_CHARS]}"


def generation_of(version: str) -> str:
    """The generation in a version; empty if it is not one of ours."""
    generation, plus, _ = version.partition("+")
    return generation if plus else ""


class Snapshots:
    """The snapshot in force and the last ones before it. `current` is read by many threads, None before the first."""

    def __init__(self) -> None:
        self.current: Snapshot | None = None
        self._earlier: deque[Snapshot] = deque(maxlen=KEPT_SNAPSHOTS)

    def put(self, snapshot: Snapshot) -> bool:
        """Put in force; False, and nothing changes, if it is the same as the current one."""
        if snapshot.is_same(self.current):
            return False
        if self.current is not None:
            self._earlier.append(self.current)
        self.current = snapshot
        return True

    def selection(self, type_url: str, names: frozenset[str]) -> Selection | None:
        """What a subscription gets now; None before the first snapshot."""
        return None if self.current is None else self.current.selection(type_url, names)

    def earlier(self, type_url: str, names: frozenset[str], version: str) -> Selection | None:
        """What was sent under `version` by an earlier snapshot that is still kept."""
        for snapshot in reversed(self._earlier):
            if snapshot.generation == generation_of(version):
                found = snapshot.selection(type_url, names)
                if found.version == version:
                    return found
        return None
