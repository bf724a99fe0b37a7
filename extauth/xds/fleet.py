"""What is known of each Envoy: what it has, what it refused, when it was last heard. Bounded; guarded by its owner.

An Envoy is told apart by the identity in its certificate, its address *and* what it calls itself: with a name alone
one Envoy could make us believe that another has refused something, on purpose or because somebody gave two one name.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from extauth.xds import limits
from extauth.xds.errors import StreamRefusedError


class NodeKey(NamedTuple):
    """`caller`: who the certificate says it is. `address`: of its connections, without the port."""

    caller: str
    address: str
    name: str
    cluster: str


@dataclass(slots=True)
class Confirmed:
    """How one Envoy stands to one type. Versions are empty, and times 0, for never; times are epoch seconds.

    `rejected`: the version that it refused last, which is not sent to it again; forgotten when it starts anew.
    `restored`: it was sent its last good version again after that.
    """

    acked: str = ""
    acked_at: float = 0.0
    sent: str = ""
    sent_at: float = 0.0
    rejected: str = ""
    rejected_at: float = 0.0
    error: str = ""
    restored: bool = False
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def pushed(self, version: str, now: float) -> None:
        """It is on its way."""
        self.sent, self.sent_at = version, now

    def acknowledged(self, version: str, now: float) -> None:
        """The Envoy has it."""
        self.acked, self.acked_at, self.sent = version, now, ""

    def refused(self, version: str, error: str, now: float) -> None:
        """The Envoy has refused it."""
        self.sent = ""
        if version == self.acked and self.rejected:
            # It refuses what it had: there is nothing left to try. The refusal that led here is the one to tell of.
            return
        self.rejected, self.rejected_at, self.error = version, now, error
        self.restored = False

    def begins_anew(self) -> None:
        """It has nothing: another process, perhaps another Envoy that takes what the one before refused."""
        self.acked = self.rejected = self.error = ""
        self.restored = False


@dataclass(slots=True)
class Node:
    """One Envoy. `seen_at`: epoch seconds of its last request."""

    key: NodeKey
    envoy_version: str = ""
    seen_at: float = 0.0
    streams: int = 0
    types: dict[str, Confirmed] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)
    other_types: set[str] = field(default_factory=set)

    def confirmed(self, type_url: str) -> Confirmed:
        """How it stands to a type."""
        return self.types.setdefault(type_url, Confirmed())

    def asks_in_vain(self, type_url: str) -> None:
        """It asked for a type that is not served."""
        if len(self.other_types) < limits.MAX_OTHER_TYPES:
            self.other_types.add(type_url[: limits.MAX_NAME_CHARS])


class Fleet:
    """Every Envoy that is connected, and the last ones that were."""

    def __init__(self, most: int = limits.MAX_NODES) -> None:
        self._most = most
        self._nodes: OrderedDict[NodeKey, Node] = OrderedDict()

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def joined(self, key: NodeKey, now: float) -> Node:
        """A stream of this Envoy has begun. Raises StreamRefusedError if there are too many others."""
        node = self._nodes.get(key)
        if node is None:
            if len(self._nodes) >= self._most:
                self._forget_one()
            node = self._nodes[key] = Node(key)
        self._nodes.move_to_end(key)
        node.streams += 1
        node.seen_at = now
        return node

    def left(self, node: Node) -> None:
        """A stream of it has ended."""
        node.streams -= 1

    def _forget_one(self) -> None:
        for key, node in self._nodes.items():
            if not node.streams:
                del self._nodes[key]
                return
        raise StreamRefusedError("RESOURCE_EXHAUSTED", f"{len(self._nodes)} Envoys are connected, no more are taken")
