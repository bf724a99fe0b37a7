"""Whatever happens in whatever order: an Envoy never stays with two generations, and is never sent in circles."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from extauth.xds.fleet import Fleet
from extauth.xds.limits import KEPT_SNAPSHOTS
from extauth.xds.snapshot import Snapshots, generation_of
from tests.extauth.xds.fake_envoy import FILTERS, FakeEnvoy, Talk, snapshot

GOOD, BAD_FIRST, BAD_LAST = "good", "bad first", "bad last"
EVENTS = st.sampled_from(
    [GOOD, GOOD, BAD_FIRST, BAD_LAST, "hear", "hear", "hear", "refresh", "reconnect", "restart", "replica", "forget"]
)


@dataclass
class History:
    """One Envoy, two replicas over the same policy, and what happened to them."""

    delta: bool
    generation: int = 0
    bad: bool = False
    snapshots: list[Snapshots] = field(default_factory=lambda: [Snapshots(), Snapshots()])
    fleets: list[Fleet] = field(default_factory=lambda: [Fleet(), Fleet()])
    at: int = 0
    disturbances: int = 0

    def __post_init__(self) -> None:
        self.envoy = FakeEnvoy(self.delta)
        self.change(GOOD)
        self.connect()

    def change(self, kind: str) -> None:
        self.generation += 1
        bad = {GOOD: [], BAD_FIRST: FILTERS[:1], BAD_LAST: FILTERS[1:]}[kind]
        self.bad = bool(bad)
        for snapshots in self.snapshots:
            snapshots.put(snapshot(f"g{self.generation}", bad=bad))

    def connect(self) -> None:
        self.talk: Talk = self.envoy.stream(self.fleets[self.at], self.snapshots[self.at]).begin()
        self.disturbances += 1

    def event(self, kind: str) -> None:
        if kind in {GOOD, BAD_FIRST, BAD_LAST}:
            self.change(kind)
            self.talk.refresh()
        elif kind == "hear":
            self.talk.hear()
        elif kind == "refresh":
            self.talk.refresh()
        else:
            self.talk.stream.ended()
            if kind == "restart":
                self.envoy = FakeEnvoy(self.delta)
            if kind == "replica":
                self.at = 1 - self.at
            if kind == "forget":
                # The service is started again: it knows the policy in force, and nothing else.
                current = self.snapshots[self.at].current
                assert current is not None
                self.fleets[self.at], self.snapshots[self.at] = Fleet(), Snapshots()
                self.snapshots[self.at].put(current)
            self.connect()


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(EVENTS, max_size=40))
def test_when_all_is_said_an_envoy_has_the_current_generation_or_refuses_it(delta: bool, events: list[str]) -> None:
    history = History(delta)
    for event in events:
        history.event(event)
    history.talk.refresh()
    history.talk.settle()
    if not history.bad:
        assert history.envoy.generations == {f"g{history.generation}"}
        assert len(history.envoy.applied) == len(FILTERS)
    # Nothing more comes by itself.
    history.talk.refresh()
    assert history.talk.on_the_way == []


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(st.sampled_from([GOOD, BAD_FIRST, BAD_LAST, "hear", "refresh", "settle"]), max_size=40))
def test_on_one_stream_an_envoy_ends_with_one_whole_generation(delta: bool, events: list[str]) -> None:
    history = History(delta)
    history.talk.settle()
    since_good = 0
    for event in events:
        if event == "settle":
            history.talk.settle()
        else:
            history.event(event)
        if event in {GOOD, BAD_FIRST, BAD_LAST}:
            since_good += 1
        if event == "settle" and not history.bad:
            since_good = 0
    history.talk.settle()
    # The last good one is still kept by the service.
    if since_good <= KEPT_SNAPSHOTS:
        assert len(history.envoy.generations) == 1


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(EVENTS, max_size=40))
def test_a_refused_version_is_never_sent_twice_to_one_process_by_one_replica(delta: bool, events: list[str]) -> None:
    history = History(delta)
    refused: set[tuple[int, int, str]] = set()
    for event in [*events, *["hear"] * 5]:
        if event == "forget":
            refused = {item for item in refused if item[0] != history.at}
        before = len(history.envoy.seen)
        if event == "restart":
            before = 0
        history.event(event)
        for version in history.envoy.seen[before:]:
            key = history.at, id(history.envoy), version
            assert key not in refused
            held = {f"{name}@{generation_of(version)}".encode() for name in FILTERS}
            # One that never took anything cannot be told from a process that starts.
            if history.envoy.has_taken_something and not held <= set(history.envoy.applied.values()):
                refused.add(key)


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(EVENTS, max_size=40))
def test_there_are_no_more_pushes_than_there_are_reasons(delta: bool, events: list[str]) -> None:
    history = History(delta)
    seen = 0
    envoys = {id(history.envoy): history.envoy}
    for event in events:
        history.event(event)
        envoys[id(history.envoy)] = history.envoy
    history.talk.settle()
    seen = sum(len(envoy.seen) for envoy in envoys.values())
    # Each generation and each stream is a reason for one push, and for one that restores what was before.
    assert seen <= 2 * (history.generation + history.disturbances)
