"""One stream, both forms: what is sent when, and what is not sent again."""

import pytest

from extauth.wire.messages import DeltaDiscoveryRequest, DiscoveryRequest, DiscoveryResponse, Node
from extauth.xds import limits
from extauth.xds.errors import StreamRefusedError
from extauth.xds.fleet import Fleet
from extauth.xds.resource_types import FILTER, SECRET
from extauth.xds.secrets import secret_that_trusts_nobody
from extauth.xds.snapshot import Snapshot, Snapshots
from extauth.xds.stream import StateOfTheWorldStream
from tests.extauth.xds.fake_envoy import FakeEnvoy, Talk, node_of, snapshot

#: When an Envoy that wants filters would have asked for them.
LATER = limits.FILTERS_FIRST_SECONDS + 1
both = pytest.mark.parametrize("delta", [False, True], ids=["state-of-the-world", "delta"])


class Service:
    """The service without its lock: a fleet and its snapshots."""

    def __init__(self, *generations: str) -> None:
        self.fleet = Fleet()
        self.snapshots = Snapshots()
        for generation in generations:
            self.snapshots.put(snapshot(generation))

    def talk(self, envoy: FakeEnvoy) -> Talk:
        return envoy.stream(self.fleet, self.snapshots).begin()

    def confirmed(self, type_url: str = FILTER):  # type: ignore[no-untyped-def]
        (node,) = self.fleet
        return node.types[type_url]


@both
def test_an_envoy_gets_everything_of_one_generation_and_is_known_to_have_it(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    service.talk(envoy).settle()
    assert envoy.applied == {"a": b"a@g1", "b": b"b@g1"}
    assert service.confirmed().acked == envoy.seen[0]
    assert envoy.seen[0].startswith("g1+")


@both
def test_what_was_acknowledged_is_not_sent_again(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    talk.refresh()
    assert talk.on_the_way == []


@both
def test_a_new_generation_is_sent_once(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2"))
    talk.refresh()
    talk.settle()
    assert envoy.generations == {"g2"}
    assert len(envoy.seen) == 2


@both
def test_changes_while_an_answer_is_awaited_are_sent_as_one(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    for generation in ("g2", "g3", "g4"):
        service.snapshots.put(snapshot(generation))
        talk.refresh()
    assert len(talk.on_the_way) == 1
    talk.settle()
    assert [version.partition("+")[0] for version in envoy.seen] == ["g1", "g4"]


@both
def test_a_refused_version_is_followed_by_the_whole_of_the_last_good_one_and_by_nothing_else(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2", bad=["b"]))
    talk.refresh()
    talk.hear()
    assert envoy.generations == {"g1", "g2"}, "an Envoy keeps what came before the bad one"
    talk.settle()
    assert envoy.generations == {"g1"}
    assert [version.partition("+")[0] for version in envoy.seen] == ["g1", "g2", "g1"]
    for _ in range(3):
        talk.refresh()
    assert talk.on_the_way == []
    confirmed = service.confirmed()
    assert (confirmed.acked, confirmed.rejected) == (envoy.seen[0], envoy.seen[1])
    assert confirmed.error == "b is bad"


@both
def test_after_a_refusal_the_next_version_is_sent(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    for item in (snapshot("g2", bad=["b"]), snapshot("g3")):
        service.snapshots.put(item)
        talk.refresh()
        talk.settle()
    assert envoy.generations == {"g3"}


@both
def test_a_refused_version_is_not_sent_on_a_new_stream_either(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2", bad=["b"]))
    talk.refresh()
    talk.settle()
    talk.stream.ended()
    sent = len(envoy.seen)
    for _ in range(3):
        again = service.talk(envoy)
        again.settle()
        again.stream.ended()
    assert len(envoy.seen) == sent


@both
def test_a_stream_that_ends_before_the_last_good_version_was_sent_again_gets_it_on_the_next(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2", bad=["b"]))
    talk.refresh()
    talk.hear()
    talk.stream.ended()
    # What was written is lost with the stream; whether the Envoy read it nobody knows.
    service.confirmed().restored = False
    service.talk(envoy).settle()
    assert envoy.generations == {"g1"}


@both
def test_a_process_that_starts_anew_is_sent_what_the_one_before_refused(delta: bool) -> None:
    """It may be another release of Envoy, and it has nothing else."""
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2", bad=["b"]))
    talk.refresh()
    talk.settle()
    fresh = FakeEnvoy(delta)
    service.talk(fresh).settle()
    assert [version.partition("+")[0] for version in fresh.seen] == ["g2"]


@both
def test_an_envoy_that_has_everything_gets_nothing_from_another_replica(delta: bool) -> None:
    service, other, envoy = Service("g1"), Service("g1"), FakeEnvoy(delta)
    service.talk(envoy).settle()
    talk = other.talk(envoy)
    assert talk.on_the_way == []
    assert other.confirmed().acked == envoy.seen[0]


@both
def test_an_envoy_with_an_older_generation_gets_the_current_one_from_another_replica(delta: bool) -> None:
    service, other, envoy = Service("g1"), Service("g2"), FakeEnvoy(delta)
    service.talk(envoy).settle()
    other.talk(envoy).settle()
    assert envoy.generations == {"g2"}


@both
def test_another_compilation_of_the_same_generation_is_sent(delta: bool) -> None:
    service, other, envoy = Service("g1"), Service(), FakeEnvoy(delta)
    service.talk(envoy).settle()
    other.snapshots.put(Snapshot("g1", {FILTER: {"a": b"a@g1", "b": b"mended"}}))
    other.talk(envoy).settle()
    assert envoy.applied == {"a": b"a@g1", "b": b"mended"}


@both
def test_who_asks_for_one_filter_of_two_gets_none_and_is_told_apart(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta, names=("a",))
    talk = service.talk(envoy)
    assert talk.on_the_way == []
    assert service.confirmed().missing == ("b",)


@both
def test_who_asks_for_the_missing_filter_later_gets_both_then(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta, names=("a",))
    talk = service.talk(envoy)
    envoy.names = ("a", "b")
    if delta:
        talk.say(DeltaDiscoveryRequest(type_url=FILTER, resource_names_subscribe=["b"]).SerializeToString())
    else:
        talk.say(envoy.request())
    talk.settle()
    assert envoy.generations == {"g1"}
    assert len(envoy.applied) == 2


def test_a_name_that_was_added_while_the_envoy_was_away_is_sent() -> None:
    """State of the world: the version of two is another one than the version of three, though the generation is one."""
    service = Service()
    service.snapshots.put(Snapshot("g1", {SECRET: {"trust": b"1", "trust/a": b"2", "trust/b": b"3"}}))
    envoy = FakeEnvoy(False, names=("trust", "trust/a"), type_url=SECRET)
    service.talk(envoy).settle()
    envoy.names = ("trust", "trust/a", "trust/b")
    talk = service.talk(envoy)
    talk.refresh(LATER)
    talk.settle()
    assert sorted(envoy.applied) == ["trust", "trust/a", "trust/b"]


@both
def test_a_trust_entry_that_is_gone_is_replaced_by_one_that_trusts_nobody(delta: bool) -> None:
    service, envoy = Service(), FakeEnvoy(delta, names=("trust/a", "trust/b"), type_url=SECRET)
    service.snapshots.put(Snapshot("g1", {SECRET: {"trust/a": b"1", "trust/b": b"2"}}))
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(Snapshot("g2", {SECRET: {"trust/a": b"1"}}))
    talk.refresh(LATER)
    talk.settle()
    assert envoy.applied["trust/b"] == secret_that_trusts_nobody("trust/b")


def test_a_filter_that_is_gone_is_withdrawn_from_a_delta_stream() -> None:
    service, envoy = Service("g1"), FakeEnvoy(True)
    talk = service.talk(envoy)
    talk.settle()
    service.snapshots.put(snapshot("g2", names=["a"]))
    talk.refresh()
    talk.settle()
    assert envoy.applied == {"a": b"a@g2"}
    assert service.confirmed().unknown == ("b",)


class TrustAndFilters:
    """An Envoy that has both types on one stream; its refusals are per type."""

    def __init__(self, delta: bool) -> None:
        self.service = Service()
        self.filters = FakeEnvoy(delta)
        self.secrets = FakeEnvoy(delta, names=("trust",), type_url=SECRET)

    def put(self, generation: str, *, bad: bool = False) -> None:
        resources = dict(snapshot(generation, bad=["b"] if bad else []).resources)
        self.service.snapshots.put(Snapshot(generation, {**resources, SECRET: {"trust": f"t@{generation}".encode()}}))

    def connect(self, now: float = 0.0) -> None:
        self.talk = self.filters.stream(self.service.fleet, self.service.snapshots, now)
        self.secrets.stream(self.service.fleet, self.service.snapshots, now)

    def settle(self, now: float = 0.0) -> list[str]:
        """Deliver everything; the types, in the order in which they were sent."""
        order = []
        while self.talk.on_the_way:
            message = self.talk.on_the_way.pop(0).message
            type_url = DiscoveryResponse.FromString(message).type_url
            order.append("filters" if type_url == FILTER else "trust")
            envoy = self.filters if type_url == FILTER else self.secrets
            self.talk.say(envoy.answer(message), now)
        return order


@both
def test_a_new_trust_follows_the_filters_that_were_compiled_for_it(delta: bool) -> None:
    world = TrustAndFilters(delta)
    world.put("g1")
    world.connect()
    world.talk.say(world.secrets.first_request())
    world.talk.say(world.filters.first_request())
    world.settle()
    world.put("g2")
    world.talk.refresh()
    assert world.settle() == ["filters", "trust"]
    assert (world.filters.generations, world.secrets.generations) == ({"g2"}, {"g2"})


@both
def test_an_envoy_that_refuses_the_filters_keeps_its_trust(delta: bool) -> None:
    world = TrustAndFilters(delta)
    world.put("g1")
    world.connect()
    world.talk.say(world.secrets.first_request())
    world.talk.say(world.filters.first_request())
    world.settle()
    world.put("g2", bad=True)
    world.talk.refresh()
    world.settle()
    world.talk.refresh(100.0)
    assert world.settle() == []
    assert (world.filters.generations, world.secrets.generations) == ({"g1"}, {"g1"})


@both
def test_a_reconnected_envoy_asks_for_trust_first_and_still_gets_it_last(delta: bool) -> None:
    world = TrustAndFilters(delta)
    world.put("g1")
    world.connect()
    world.talk.say(world.secrets.first_request())
    world.talk.say(world.filters.first_request())
    world.settle()
    world.put("g2")
    world.connect()
    world.talk.say(world.secrets.first_request())
    assert world.talk.on_the_way == []
    world.talk.say(world.filters.first_request())
    assert world.settle() == ["filters", "trust"]


@both
def test_an_envoy_that_asks_for_trust_alone_gets_it(delta: bool) -> None:
    world = TrustAndFilters(delta)
    world.put("g1")
    world.connect()
    world.talk.say(world.secrets.first_request())
    assert world.settle() == ["trust"]
    world.put("g2")
    world.talk.refresh(LATER)
    assert world.settle(LATER) == ["trust"]


def request(**fields: object) -> bytes:
    return DiscoveryRequest(**{"node": node_of("e"), "type_url": FILTER, **fields}).SerializeToString()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("requests", "code", "complaint"),
    [
        ([b"\xff\xff"], "INVALID_ARGUMENT", "not a discovery request"),
        ([b""], "INVALID_ARGUMENT", "names no node.id"),
        ([request(node=Node(cluster="c"))], "INVALID_ARGUMENT", "names no node.id"),
        ([request(node=Node(id="x" * 257))], "INVALID_ARGUMENT", "node.id has 257 characters"),
        ([request(node=Node(id="x", cluster="x" * 257))], "INVALID_ARGUMENT", "node.cluster has 257 characters"),
        ([request(resource_names=["x" * 257])], "INVALID_ARGUMENT", "a resource name has 257 characters"),
        ([request(resource_names=map(str, range(1025)))], "RESOURCE_EXHAUSTED", "more than 1024 resource names"),
        ([request(version_info="x" * 257)], "INVALID_ARGUMENT", "version_info has 257 characters"),
        ([request()] * 513, "RESOURCE_EXHAUSTED", "too many requests"),
    ],
)
def test_what_is_no_request_of_an_envoy_ends_the_stream(requests: list[bytes], code: str, complaint: str) -> None:
    service = Service("g1")
    stream = StateOfTheWorldStream("id", "192.0.2.1", service.fleet, service.snapshots, 0.0)
    *fine, last = requests
    for item in fine:
        stream.received(item, 0.0)
    with pytest.raises(StreamRefusedError, match=complaint) as caught:
        stream.received(last, 0.0)
    assert caught.value.code == code


def test_names_that_are_added_bit_by_bit_are_bounded_together() -> None:
    service = Service("g1")
    talk = FakeEnvoy(True).stream(service.fleet, service.snapshots)
    subscribe = [
        DeltaDiscoveryRequest(
            node=node_of("e"), type_url=SECRET, resource_names_subscribe=[f"{part}-{i}" for i in range(1000)]
        ).SerializeToString()
        for part in (1, 2)
    ]
    talk.say(subscribe[0])
    with pytest.raises(StreamRefusedError, match="more than 1024 names of Secret"):
        talk.say(subscribe[1])


def test_a_type_that_is_not_served_is_noted_and_not_answered() -> None:
    service = Service("g1")
    stream = StateOfTheWorldStream("id", "192.0.2.1", service.fleet, service.snapshots, 0.0)
    for number in range(20):
        assert stream.received(request(type_url=f"{number}" + "x" * 1000), 0.0) == []
    (node,) = service.fleet
    assert len(node.other_types) == limits.MAX_OTHER_TYPES
    assert max(map(len, node.other_types)) == limits.MAX_NAME_CHARS
    assert node.types == {}


@both
def test_an_answer_with_another_nonce_counts_for_nothing(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    kind = DeltaDiscoveryRequest if delta else DiscoveryRequest
    for nonce in ("", "0", "2", "x" * 10_000):
        stale = kind(type_url=FILTER, response_nonce=nonce)
        stale.error_detail.message = "no"
        talk.say(stale.SerializeToString())
    assert service.confirmed().rejected == ""
    assert service.confirmed().sent != ""
    talk.settle()
    assert envoy.generations == {"g1"}


@both
def test_a_second_answer_to_one_push_counts_for_nothing(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    answer = envoy.answer(talk.on_the_way.pop().message)
    talk.say(answer)
    kind = DeltaDiscoveryRequest if delta else DiscoveryRequest
    refusal = kind.FromString(answer)
    refusal.error_detail.message = "changed my mind"
    talk.say(refusal.SerializeToString())
    assert service.confirmed().rejected == ""


def test_an_answer_with_another_version_and_without_an_error_is_a_refusal() -> None:
    service, envoy = Service("g1"), FakeEnvoy(False)
    talk = service.talk(envoy)
    push = DiscoveryResponse.FromString(talk.on_the_way.pop().message)
    talk.say(request(version_info="what", response_nonce=push.nonce, resource_names=["a", "b"]))
    assert service.confirmed().rejected == push.version_info
    assert "another version" in service.confirmed().error


@both
def test_of_a_long_complaint_the_beginning_and_the_end_are_kept(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    kind = DeltaDiscoveryRequest if delta else DiscoveryRequest
    refusal = kind(type_url=FILTER, response_nonce="1")
    refusal.error_detail.message = "the filter {\n  name:" + "x" * 3000 + "}\n is not valid"
    talk.say(refusal.SerializeToString())
    assert len(service.confirmed().error) == limits.MAX_ERROR_CHARS
    assert service.confirmed().error.startswith("the filter { name:xxx")
    assert service.confirmed().error.endswith("xxx} is not valid")


@both
def test_a_complaint_of_a_megabyte_is_not_kept(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    kind = DeltaDiscoveryRequest if delta else DiscoveryRequest
    refusal = kind(type_url=FILTER, response_nonce="1")
    refusal.error_detail.message = "x" * 1_000_000
    talk.say(refusal.SerializeToString())
    assert len(service.confirmed().error) == limits.MAX_ERROR_CHARS


@both
def test_an_envoy_that_never_answers_is_disconnected(delta: bool) -> None:
    service, envoy = Service("g1"), FakeEnvoy(delta)
    talk = service.talk(envoy)
    talk.stream.check_deadlines(limits.ANSWER_SECONDS)
    with pytest.raises(StreamRefusedError, match="no answer to what was sent of TypedExtensionConfig"):
        talk.stream.check_deadlines(limits.ANSWER_SECONDS + 1)


def test_who_says_nothing_is_disconnected() -> None:
    service = Service("g1")
    stream = StateOfTheWorldStream("id", "192.0.2.1", service.fleet, service.snapshots, 10.0)
    stream.check_deadlines(11.0)
    with pytest.raises(StreamRefusedError, match="no request came"):
        stream.check_deadlines(10.0 + limits.FIRST_REQUEST_SECONDS + 1)


@both
def test_before_the_first_snapshot_nothing_is_sent(delta: bool) -> None:
    service, envoy = Service(), FakeEnvoy(delta)
    talk = service.talk(envoy)
    assert talk.on_the_way == []
    service.snapshots.put(snapshot("g1"))
    talk.refresh()
    talk.settle()
    assert envoy.generations == {"g1"}


def test_who_subscribes_again_is_sent_it_again() -> None:
    """Delta: an Envoy that dropped a resource and wants it back has forgotten it."""
    service, envoy = Service("g1"), FakeEnvoy(True)
    talk = service.talk(envoy)
    talk.settle()
    talk.say(DeltaDiscoveryRequest(type_url=FILTER, resource_names_subscribe=["b"]).SerializeToString())
    talk.settle()
    assert len(envoy.seen) == 2


def test_another_caller_cannot_speak_for_an_envoy() -> None:
    service, envoy, liar = Service("g1"), FakeEnvoy(False), FakeEnvoy(False)
    service.talk(envoy).settle()
    service.snapshots.put(snapshot("g2"))
    talk = liar.stream(service.fleet, service.snapshots, caller="another identity").begin()
    refusal = DiscoveryRequest(type_url=FILTER, response_nonce="1")
    refusal.error_detail.message = "I am that Envoy and take no g2"
    talk.say(refusal.SerializeToString())
    service.talk(envoy).settle()
    assert envoy.generations == {"g2"}


@both
def test_two_envoys_that_were_given_one_name_are_told_apart_by_their_address(delta: bool) -> None:
    service, envoy, twin = Service("g1"), FakeEnvoy(delta), FakeEnvoy(delta, address="192.0.2.2")
    service.talk(envoy).settle()
    service.talk(twin).settle()
    service.snapshots.put(snapshot("g2"))
    # The twin is of another release, and refuses.
    talk = service.talk(twin)
    kind = DeltaDiscoveryRequest if delta else DiscoveryRequest
    refusal = kind(type_url=FILTER, response_nonce="1")
    refusal.error_detail.message = "no"
    talk.say(refusal.SerializeToString())
    service.talk(envoy).settle()
    assert envoy.generations == {"g2"}


def test_the_fleet_remembers_a_bounded_number_of_envoys() -> None:
    service = Service("g1")
    service.fleet = Fleet(most=3)
    for number in range(10):
        talk = service.talk(FakeEnvoy(False, name=f"e{number}"))
        talk.stream.ended()
    assert [node.key.name for node in service.fleet] == ["e7", "e8", "e9"]


def test_envoys_that_are_connected_are_not_forgotten_for_others() -> None:
    service = Service("g1")
    service.fleet = Fleet(most=3)
    for number in range(3):
        service.talk(FakeEnvoy(False, name=f"e{number}"))
    with pytest.raises(StreamRefusedError, match="3 Envoys are connected"):
        service.talk(FakeEnvoy(False, name="one more"))
