"""One stream of the aggregated discovery service, without gRPC: bytes of a request in, answers out.

The two forms of the protocol are two classes of a few lines; what they have in common, and what protects from an Envoy
that is none, is `DiscoveryStream`. It raises StreamRefusedError to end the stream.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from google.protobuf.message import DecodeError

from extauth.wire.messages import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Status,
)
from extauth.wire.messages import Node as WireNode
from extauth.xds import limits
from extauth.xds.allowance import Allowance
from extauth.xds.errors import StreamRefusedError
from extauth.xds.fleet import Fleet, Node, NodeKey
from extauth.xds.resource_types import FILTER, SECRET, SERVED, short
from extauth.xds.snapshot import Snapshots
from extauth.xds.subscription import Answer, Delta, Push, Refusal, StateOfTheWorld, Subscription

Request = TypeVar("Request", DiscoveryRequest, DeltaDiscoveryRequest)
Kind = TypeVar("Kind", bound=Subscription)


class Outgoing(NamedTuple):
    """An answer. `body` is shared by all that get the same; `tail` holds the rest, and is added to what was sent."""

    body: bytes
    tail: bytes

    @property
    def message(self) -> bytes:
        """The whole, on the wire."""
        return self.body + self.tail


class DiscoveryStream(ABC, Generic[Request, Kind]):
    """What one Envoy says on one stream. Not thread-safe: its owner holds the lock of the fleet.

    `caller`, `address`: as in `NodeKey`. Times are epoch seconds.
    """

    def __init__(self, caller: str, address: str, fleet: Fleet, snapshots: Snapshots, now: float) -> None:
        self.node: Node | None = None
        self._caller = caller
        self._address = address
        self._fleet = fleet
        self._snapshots = snapshots
        self._opened_at = now
        self._allowance = Allowance(limits.REQUEST_BURST, limits.REQUESTS_PER_SECOND, now)
        self._subscriptions: dict[str, Kind] = {}

    def received(self, message: bytes, now: float) -> list[Outgoing]:
        """Take in a request; what is to be sent then. Raises StreamRefusedError."""
        if not self._allowance.taken(now):
            raise StreamRefusedError("RESOURCE_EXHAUSTED", "too many requests on one stream")
        try:
            request = self._parsed(message)
        except DecodeError:
            raise StreamRefusedError("INVALID_ARGUMENT", "not a discovery request") from None
        node = self.node or self._joined(request.node, now)
        node.seen_at = now
        type_url = request.type_url
        if type_url not in SERVED:
            # Other types may come from elsewhere; an Envoy that waits for one of ours goes on after its own deadline.
            node.asks_in_vain(type_url)
            return []
        subscription = self._subscriptions.get(type_url)
        if subscription is None:
            subscription = self._subscriptions[type_url] = self._subscription(type_url, node)
        self._requested(subscription, request, now)
        if len(subscription.names) > limits.MAX_NAMES:
            raise StreamRefusedError("RESOURCE_EXHAUSTED", f"more than {limits.MAX_NAMES} names of {short(type_url)}")
        node.names[type_url] = subscription.names
        return self.due(now)

    def refusals(self) -> list[Refusal]:
        """What was refused since this was asked last."""
        found = [item.refusal for item in self._subscriptions.values() if item.refusal is not None]
        for item in self._subscriptions.values():
            item.refusal = None
        return found

    def due(self, now: float) -> list[Outgoing]:
        """What is to be sent now: after another snapshot came into force, an answer, or some time."""
        pushes = [
            subscription.next(self._snapshots, now)
            for subscription in self._subscriptions.values()
            if subscription.type_url != SECRET or self._may_trust_others(subscription, now)
        ]
        return [self._written(push) for push in pushes if push is not None]

    def check_deadlines(self, now: float) -> None:
        """Raise StreamRefusedError if the Envoy has been silent where it had to speak."""
        if self.node is None and now - self._opened_at > limits.FIRST_REQUEST_SECONDS:
            raise StreamRefusedError("DEADLINE_EXCEEDED", "no request came")
        for subscription in self._subscriptions.values():
            if subscription.under_way is not None and now - subscription.sent_at > limits.ANSWER_SECONDS:
                type_url = subscription.type_url
                raise StreamRefusedError("DEADLINE_EXCEEDED", f"no answer to what was sent of {short(type_url)}")

    def ended(self) -> None:
        """The stream is over; a second call does nothing."""
        if self.node is not None:
            self._fleet.left(self.node)
            self.node = None
            self._subscriptions.clear()

    def _joined(self, sent: WireNode, now: float) -> Node:
        if not sent.id:
            raise StreamRefusedError("INVALID_ARGUMENT", "the first request names no node.id (Envoy: --service-node)")
        check_text("node.id", sent.id, limits.MAX_NODE_CHARS)
        check_text("node.cluster", sent.cluster, limits.MAX_NODE_CHARS)
        self.node = self._fleet.joined(NodeKey(self._caller, self._address, sent.id, sent.cluster), now)
        version = sent.user_agent_build_version.version
        self.node.envoy_version = f"{version.major_number}.{version.minor_number}.{version.patch}"
        return self.node

    def _may_trust_others(self, secrets: Kind, now: float) -> bool:
        """Whether the Envoy may get a new trust. Not before it has the filters of the same generation.

        A filter allows by the name in a certificate, and was compiled for the CAs of its generation: with one CA more
        below it, that CA could give out all of these names. So an Envoy that refuses the filters keeps its trust too.
        """
        if secrets.is_empty:
            return True
        filters = self._subscriptions.get(FILTER)
        if filters is not None:
            return filters.is_settled(self._snapshots)
        # After a reconnect the types are asked for one after the other.
        return now - self._opened_at > limits.FILTERS_FIRST_SECONDS

    @abstractmethod
    def _parsed(self, message: bytes) -> Request:
        """Raises DecodeError."""

    @abstractmethod
    def _subscription(self, type_url: str, node: Node) -> Kind:
        """A subscription that nothing is known of."""

    @abstractmethod
    def _requested(self, subscription: Kind, request: Request, now: float) -> None:
        """Hand a request to its subscription."""

    @abstractmethod
    def _written(self, push: Push) -> Outgoing:
        """A push as a message."""


class StateOfTheWorldStream(DiscoveryStream[DiscoveryRequest, StateOfTheWorld]):
    """`StreamAggregatedResources`."""

    def _parsed(self, message: bytes) -> DiscoveryRequest:
        return DiscoveryRequest.FromString(message)

    def _subscription(self, type_url: str, node: Node) -> StateOfTheWorld:
        return StateOfTheWorld(type_url, node.confirmed(type_url))

    def _requested(self, subscription: StateOfTheWorld, request: DiscoveryRequest, now: float) -> None:
        check_text("version_info", request.version_info, limits.MAX_VERSION_CHARS)
        names = names_from_list(request.resource_names)
        subscription.requested(names, request.version_info, answer_from_request(request), now)

    def _written(self, push: Push) -> Outgoing:
        return Outgoing(push.selection.body, DiscoveryResponse(nonce=push.nonce).SerializeToString())


class DeltaStream(DiscoveryStream[DeltaDiscoveryRequest, Delta]):
    """`DeltaAggregatedResources`."""

    def _parsed(self, message: bytes) -> DeltaDiscoveryRequest:
        return DeltaDiscoveryRequest.FromString(message)

    def _subscription(self, type_url: str, node: Node) -> Delta:
        return Delta(type_url, node.confirmed(type_url))

    def _requested(self, subscription: Delta, request: DeltaDiscoveryRequest, now: float) -> None:
        held = dict(request.initial_resource_versions)
        for version in held.values():
            check_text("initial_resource_versions", version, limits.MAX_VERSION_CHARS)
        subscription.requested(
            names_from_list(request.resource_names_subscribe),
            names_from_list(request.resource_names_unsubscribe),
            held,
            answer_from_request(request),
            now,
        )

    def _written(self, push: Push) -> Outgoing:
        body = push.selection.delta_body(push.names)
        return Outgoing(body, DeltaDiscoveryResponse(nonce=push.nonce).SerializeToString())


def answer_from_request(request: DiscoveryRequest | DeltaDiscoveryRequest) -> Answer:
    """What a request says about a push; of one with an empty nonce nothing is meant."""
    if not request.HasField("error_detail"):
        return Answer(request.response_nonce, None)
    return Answer(request.response_nonce, text_of_error(request.error_detail))


def text_of_error(error: Status) -> str:
    """Why an Envoy refused, in its words. It shows the whole message that it refuses, and says why at the end."""
    text = " ".join(error.message[: limits.MAX_READ_ERROR_CHARS].split())
    if len(text) > limits.MAX_ERROR_CHARS:
        half = limits.MAX_ERROR_CHARS // 2 - 1
        text = f"{text[:half]}… {text[-half:]}"
    return text or f"no message (code {error.code})"


def names_from_list(names: Iterable[str]) -> frozenset[str]:
    """The names of a request. Raises StreamRefusedError."""
    found = frozenset(names)
    if len(found) > limits.MAX_NAMES:
        raise StreamRefusedError("RESOURCE_EXHAUSTED", f"more than {limits.MAX_NAMES} resource names")
    for name in found:
        check_text("a resource name", name, limits.MAX_NAME_CHARS)
    return found


def check_text(what: str, text: str, most: int) -> None:
    """Raise StreamRefusedError if `text` is too long."""
    if len(text) > most:
        raise StreamRefusedError("INVALID_ARGUMENT", f"{what} has {len(text)} characters, at most {most} are taken")
