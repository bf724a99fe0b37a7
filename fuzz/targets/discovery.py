"""What an Envoy says on a stream of the discovery service: a refusal of the stream is all that may come of it."""

from extauth.wire.encode import TYPE_PREFIX
from extauth.wire.messages import DeltaDiscoveryRequest, DiscoveryRequest, Node, Status
from extauth.xds.errors import StreamRefusedError
from extauth.xds.fleet import Fleet
from extauth.xds.limits import MAX_NAMES
from extauth.xds.resource_types import FILTER, SECRET
from extauth.xds.snapshot import Snapshot, Snapshots
from extauth.xds.stream import DeltaStream, StateOfTheWorldStream
from fuzz.target import Target, require

_NODE = Node(id="envoy", cluster="fleet")
_FILTERS = ("a", "b")
_ERROR = Status(code=13, message="missing ): (")


def _snapshots() -> Snapshots:
    snapshots = Snapshots()
    for generation in ("one", "two"):
        resources = {FILTER: {"a": generation.encode(), "b": b"b"}, SECRET: {"trust": b"t"}}
        snapshots.put(Snapshot(generation, resources))
    return snapshots


def _check(kind: type[StateOfTheWorldStream] | type[DeltaStream], data: bytes) -> None:
    fleet, snapshots = Fleet(), _snapshots()
    stream = kind("spiffe://a.b/envoy", "192.0.2.1", fleet, snapshots, 0.0)
    try:
        # Twice: the second one may be an answer.
        pushes = [*stream.received(data, 0.0), *stream.received(data, 1.0), *stream.due(9.0)]
    except StreamRefusedError:
        return
    require(len(pushes) <= 2, "an Envoy that answers nothing is sent one push of each type")
    for node in fleet:
        for confirmed in node.types.values():
            require(not (confirmed.acked and confirmed.acked == confirmed.rejected), "what was taken was not refused")
        require(all(len(names) <= MAX_NAMES for names in node.names.values()), "names are bounded")


STATE_OF_THE_WORLD = Target(
    "discovery",
    "whatever an Envoy says, a stream goes on or is refused, and sends no more than it has to",
    (
        DiscoveryRequest(node=_NODE, type_url=FILTER, resource_names=_FILTERS).SerializeToString(),
        DiscoveryRequest(
            node=_NODE, type_url=FILTER, resource_names=_FILTERS, version_info="one+0123456789ab", response_nonce="1"
        ).SerializeToString(),
        DiscoveryRequest(node=_NODE, type_url=SECRET, resource_names=["trust", "trust/x"]).SerializeToString(),
        DiscoveryRequest(node=_NODE, type_url=f"{TYPE_PREFIX}envoy.config.listener.v3.Listener").SerializeToString(),
        DiscoveryRequest(
            node=_NODE, type_url=FILTER, resource_names=_FILTERS, response_nonce="1", error_detail=_ERROR
        ).SerializeToString(),
    ),
    lambda data: _check(StateOfTheWorldStream, data),
    (b"\x0a", b"\x12", b"\x22", FILTER.encode(), SECRET.encode(), b"one+", b"*"),
)

DELTA = Target(
    "discovery-delta",
    STATE_OF_THE_WORLD.law,
    (
        DeltaDiscoveryRequest(node=_NODE, type_url=FILTER, resource_names_subscribe=_FILTERS).SerializeToString(),
        DeltaDiscoveryRequest(
            node=_NODE,
            type_url=FILTER,
            resource_names_subscribe=_FILTERS,
            resource_names_unsubscribe=["c"],
            initial_resource_versions={"a": "one+0123456789ab", "b": "-"},
        ).SerializeToString(),
        DeltaDiscoveryRequest(
            node=_NODE, type_url=SECRET, resource_names_subscribe=["trust"], resource_names_unsubscribe=["trust"]
        ).SerializeToString(),
        DeltaDiscoveryRequest(
            node=_NODE, type_url=FILTER, resource_names_subscribe=_FILTERS, response_nonce="1", error_detail=_ERROR
        ).SerializeToString(),
    ),
    lambda data: _check(DeltaStream, data),
    (b"\x0a", b"\x1a", b"\x22", FILTER.encode(), SECRET.encode(), b"*"),
)
