"""The policy in force becomes what the fleet is to have, or is reported and changes nothing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import inf
from typing import Any

import pytest

from extauth.wire.errors import EncodeError
from extauth.xds import limits, source
from extauth.xds.errors import ResourceError
from extauth.xds.native import PLACES, NativeCompiler, placed
from extauth.xds.resource_types import FILTER, SECRET
from extauth.xds.snapshot import Snapshot, Snapshots
from extauth.xds.source import SnapshotSource, snapshot_from_policy
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.peer.certificate import certificate_from_der
from policies.peer.trust import TrustStore
from runtime.address import TcpAddress
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.limits import CONNECTION_SECONDS, DRAIN_SECONDS
from runtime.envoy.proto_json import Json, type_url
from tests.extauth.world import POLICY, policy_of
from tests.extauth.xds.world import eventually, filters_of

TWO_ENTRIES = """
version: 1
trust: {a: {anchors: [root.pem]}, b: {anchors: [root.pem]}}
identities: {a: {trust: a}}
rules:
  - {id: a, deny: a, to: any}
"""
ASKING = Authorization(TcpAddress("127.0.0.1", 1))


def nothing(_: PolicySet) -> list[Json]:
    return []


@dataclass
class Publisher:
    """Remembers what it was told."""

    snapshots: list[Snapshot] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)

    def report_problem(self, problem: str) -> None:
        self.problems.append(problem)


@dataclass
class Live:
    """A policy that the test puts in force."""

    current: PolicySet | None = None
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def on_change(self, listener: Callable[[], None]) -> None:
        self.listeners.append(listener)

    def put(self, policy: PolicySet) -> None:
        self.current = policy
        for listener in self.listeners:
            listener()


def source_of(live: Live, filters: Callable[[PolicySet], Sequence[Json]] = filters_of) -> tuple[Any, Publisher]:
    publisher = Publisher()
    return SnapshotSource(live, filters, publisher), publisher  # type: ignore[arg-type]


def test_a_snapshot_has_the_filters_and_the_trust_of_one_generation() -> None:
    policy = policy_of(POLICY)
    made = snapshot_from_policy(policy, filters_of)
    assert made.generation == policy.generation
    assert sorted(made.resources[FILTER]) == ["peergate.clean", "peergate.rbac"]
    assert sorted(made.resources[SECRET]) == ["trust", "trust/mesh"]


def test_two_replicas_make_the_same_snapshot_of_one_policy() -> None:
    one, other = (snapshot_from_policy(policy_of(POLICY), NativeCompiler(ASKING)) for _ in range(2))
    assert one.is_same(other)
    names = frozenset(one.resources[FILTER])
    assert one.selection(FILTER, names).version == other.selection(FILTER, names).version


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ([], "no filter at all, which would let everything pass"),
        ([{}], "filter 0 needs a name of its own"),
        ([{"name": ""}], "filter 0 needs a name of its own"),
        ([{"name": 5}], "filter 0 needs a name of its own"),
        ([{"name": "x" * 257}], "filter 0 needs a name of its own"),
        ([{"name": "a"}, {"name": "a"}], "filter 1 needs a name of its own"),
        ([{"name": "a", "no": 1}], "filter a.no: "),
        ([{"name": "a", "disabled": True}], "filter a.disabled: "),
    ],
)
def test_what_must_not_be_delivered_is_refused_as_a_whole(filters: list[Json], complaint: str) -> None:
    with pytest.raises((ResourceError, EncodeError), match=complaint):
        snapshot_from_policy(policy_of(POLICY), lambda _: filters)


def test_resources_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_SNAPSHOT_BYTES", 100)
    with pytest.raises(ResourceError, match="at most 100 are delivered"):
        snapshot_from_policy(policy_of(POLICY), filters_of)


def test_without_a_policy_nothing_is_published() -> None:
    made, publisher = source_of(Live())
    made.renew()
    assert (publisher.snapshots, publisher.problems) == ([], [])


def test_a_policy_is_published_once() -> None:
    made, publisher = source_of(Live(policy_of(POLICY)))
    made.renew()
    made.renew()
    assert len(publisher.snapshots) == 1


@pytest.mark.parametrize("filters", [nothing, lambda _: 1 / 0], ids=["nothing", "a bug"])
def test_a_policy_that_cannot_be_compiled_is_reported_and_not_published(filters: Any) -> None:
    policy = policy_of(POLICY)
    made, publisher = source_of(Live(policy), filters)
    made.renew()
    assert publisher.snapshots == []
    assert publisher.problems[0].startswith(f"generation {policy.generation}: ")


def test_changes_in_quick_succession_are_published_as_one() -> None:
    live = Live(policy_of(POLICY))
    made, publisher = source_of(live)
    made.start()
    for number in range(5):
        live.put(policy_of(f"# {number}\n{POLICY}"))
    last = live.current
    eventually(lambda: publisher.snapshots[-1].generation == last.generation)  # type: ignore[union-attr]
    time.sleep(2 * limits.DEBOUNCE_SECONDS)
    made.stop()
    assert len(publisher.snapshots) == 2


def test_a_policy_that_never_rests_is_published_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_DEBOUNCE_SECONDS", 0.2)
    live = Live(policy_of(POLICY))
    made, publisher = source_of(live)
    made.start()
    ends = time.monotonic() + 20
    for number in count():
        live.put(policy_of(f"# {number}\n{POLICY}"))
        time.sleep(0.01)
        if len(publisher.snapshots) >= 3 or time.monotonic() > ends:
            break
    made.stop()
    assert len(publisher.snapshots) >= 3


def test_filters_that_have_ended_are_made_again_once() -> None:
    now, ends = [100.0], [200.0]
    made_for: list[float] = []

    def filters(policy: PolicySet) -> list[Json]:
        made_for.append(now[0])
        return filters_of(policy)

    live = Live(policy_of(POLICY))
    made = SnapshotSource(live, filters, Publisher(), lambda: ends[0], lambda: now[0])  # type: ignore[arg-type]
    for moment in (100.0, 150.0, 200.0, 250.0, 300.0):
        now[0] = moment
        made.renew()
    assert made_for == [100.0, 200.0]
    ends[0] = 400.0
    now[0] = 401.0
    made.renew()
    assert made_for[-1] == 401.0


def test_the_compiler_tells_when_what_it_made_ends() -> None:
    compiler = NativeCompiler(ASKING)
    assert compiler.until() == inf
    policy = policy_of(POLICY)
    compiler(policy)
    (entry,) = policy.trust.entries
    assert compiler.until() == entry.anchors[0].not_after
    compiler(policy_of(TWO_ENTRIES))
    assert compiler.until() == inf


def test_after_a_ca_was_removed_everything_is_asked_until_its_last_connection_has_ended() -> None:
    one = policy_of(POLICY)
    (entry,) = one.trust.entries
    now = [entry.anchors[0].not_before + 60]
    compiler = NativeCompiler(ASKING, clock=lambda: now[0])
    other = certificate_from_der(Authority.root("other").issued.der)
    both = one.with_trust(TrustStore([replace(entry, anchors=(*entry.anchors, other))]))

    def asks(policy: PolicySet) -> bool:
        return "ask:trust-changed" in str(compiler(policy)[1])

    assert not asks(one)
    assert not asks(both)
    assert asks(one)
    ends = compiler.until()
    assert ends == now[0] + CONNECTION_SECONDS + DRAIN_SECONDS
    now[0] = ends - 1
    assert asks(one)
    now[0] = ends
    assert not asks(one)


def test_the_same_snapshot_is_put_in_force_once() -> None:
    snapshots = Snapshots()
    made = snapshot_from_policy(policy_of(POLICY), filters_of)
    assert snapshots.put(made)
    assert not snapshots.put(snapshot_from_policy(policy_of(POLICY), filters_of))


@pytest.mark.parametrize(
    "policy",
    [
        POLICY,
        # Nobody has a name here, and two entries leave everything to be asked.
        "version: 1\ntrust: {mesh: {anchors: [root.pem]}}\nrules:\n  - {id: a, deny: anyone, to: any}\n",
        TWO_ENTRIES,
    ],
)
def test_every_policy_has_a_filter_for_each_place_and_no_other(policy: str) -> None:
    made: Any = NativeCompiler(ASKING)(policy_of(policy))
    assert [(item["name"], item["typed_config"]["@type"]) for item in made] == [
        (place.name, type_url(place.message)) for place in PLACES
    ]


def compiled() -> list[Json]:
    return list(NativeCompiler(ASKING)(policy_of(POLICY)))


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ([*compiled(), {"name": "new", "typed_config": {}}], "other places than for .*, new, in that order"),
        (compiled()[::-1], "in that order"),
        ([*compiled(), compiled()[-1]], "in that order"),
        (compiled()[1:], "other places"),
        ([{"name": "peergate.path", "typed_config": {"@type": "x"}}, *compiled()[1:]], "expect a .*set_filter_state"),
        ([], "other places"),
    ],
)
def test_filters_that_the_listeners_have_no_places_for_are_refused(filters: list[Json], complaint: str) -> None:
    with pytest.raises(ResourceError, match=complaint):
        placed(filters)
