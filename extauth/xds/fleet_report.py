"""What `/fleet` shows: every Envoy, and whether it has what it should have."""

from collections import Counter

from extauth.xds.fleet import Confirmed, Fleet, Node
from extauth.xds.resource_types import short
from extauth.xds.snapshot import Snapshots, generation_of


def report_of_fleet(
    fleet: Fleet, snapshots: Snapshots, snapshot_at: float, problem: str, now: float
) -> dict[str, object]:
    """The whole answer. Times are epoch seconds, ages seconds; null is never."""
    current = snapshots.current
    return {
        "generation": None if current is None else current.generation,
        "generation_age_seconds": _age(snapshot_at, now),
        "problem": problem or None,
        "envoys": states_of_fleet(fleet, snapshots),
        "nodes": [_node(node, snapshots, now) for node in fleet],
    }


#: From the worst to the best: the state of an Envoy is its worst one.
STATES = ("rejected", "incomplete", "behind", "waiting", "current", "nothing")


def states_of_fleet(fleet: Fleet, snapshots: Snapshots) -> Counter[str]:
    """How many Envoys that are connected are in each state."""
    return Counter(_state_of(node, snapshots) for node in fleet if node.streams)


def _state_of(node: Node, snapshots: Snapshots) -> str:
    states = {_state(confirmed, _wanted(node, kind, snapshots)) for kind, confirmed in node.types.items()}
    return next((state for state in STATES if state in states), "nothing")


def _wanted(node: Node, type_url: str, snapshots: Snapshots) -> str:
    found = snapshots.selection(type_url, node.names.get(type_url, frozenset()))
    return "" if found is None else found.version


def _node(node: Node, snapshots: Snapshots, now: float) -> dict[str, object]:
    return {
        "node": node.key.name,
        "cluster": node.key.cluster,
        "caller": node.key.caller,
        "address": node.key.address,
        "envoy": node.envoy_version,
        "connected": node.streams > 0,
        "streams": node.streams,
        "seen_age_seconds": _age(node.seen_at, now),
        "state": _state_of(node, snapshots),
        "types": {short(type_url): _type(node, type_url, snapshots, now) for type_url in sorted(node.types)},
        "other_types": sorted(node.other_types),
    }


def _type(node: Node, type_url: str, snapshots: Snapshots, now: float) -> dict[str, object]:
    confirmed = node.types[type_url]
    return {
        "state": _state(confirmed, _wanted(node, type_url, snapshots)),
        "acked": confirmed.acked or None,
        "generation": generation_of(confirmed.acked) or None,
        "acked_age_seconds": _age(confirmed.acked_at, now),
        "sent": confirmed.sent or None,
        "sent_age_seconds": _age(confirmed.sent_at, now),
        "rejected": confirmed.rejected or None,
        "rejected_age_seconds": _age(confirmed.rejected_at, now),
        "error": confirmed.error or None,
        "restored": confirmed.restored,
        "names": sorted(node.names.get(type_url, ())),
        "missing": list(confirmed.missing),
        "unknown": list(confirmed.unknown),
    }


def _state(confirmed: Confirmed, wanted: str) -> str:
    """One word. `wanted`: the version that the Envoy should have; empty if there is nothing to send it."""
    if confirmed.missing:
        return "incomplete"
    if not wanted:
        return "nothing"
    if confirmed.acked == wanted:
        return "current"
    if confirmed.rejected == wanted:
        return "rejected"
    return "waiting" if confirmed.sent else "behind"


def _age(moment: float, now: float) -> float | None:
    return round(max(0.0, now - moment), 3) if moment else None
