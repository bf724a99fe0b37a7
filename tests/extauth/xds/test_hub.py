"""All streams of a process, without gRPC: what ends one of them, and that it ends no other."""

from time import time
from typing import Any

import pytest

from extauth.xds import limits
from extauth.xds.errors import StreamRefusedError
from extauth.xds.hub import Hub, Session
from extauth.xds.opening import SERVICE, Opening
from policies.engine.record import Enforcement
from policies.peer.presented import MalformedCertificate, Presented, presented_from_der
from runtime.hops import address_from_text
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics
from tests.extauth.world import mesh, policy_of
from tests.extauth.xds.fake_envoy import FakeEnvoy, snapshot

POLICY = f"""
version: 1
trust: {{mesh: {{anchors: [root.pem], spiffe_trust_domain: acme.internal}}}}
identities: {{envoys: {{uri: "spiffe://acme.internal/envoy/*"}}}}
rules:
  - {{id: fleet, allow: envoys, to: {{grpc: ["{SERVICE}/*"]}}}}
"""
ENVOY = presented_from_der(mesh().issue(uri=["spiffe://acme.internal/envoy/1"]).der)


class World:
    """A hub with a clock of the test's own."""

    def __init__(self, policy: str = POLICY) -> None:
        self.now = time()
        self.judge = Judge(FixedPolicy(policy_of(policy)), Metrics(), None, Enforcement.EXTAUTH)
        self.hub = Hub(self.judge, Metrics(), lambda: self.now)
        self.hub.publish(snapshot("g1"))
        self.cuts: list[str] = []

    def open(self, presented: Presented = ENVOY, name: str = "e") -> Session:
        opening = Opening("StreamAggregatedResources", presented, "xds.example", {}, address_from_text("192.0.2.1"))
        session = self.hub.open(opening, lambda: self.cuts.append(name))
        self.hub.received(session, FakeEnvoy(False, name).first_request())
        return session


def items(session: Session) -> list[Any]:
    return [session.outbox.get_nowait() for _ in range(session.outbox.qsize())]


def test_who_may_have_the_policy_is_sent_it() -> None:
    (sent,) = items(World().open())
    assert b"a@g1" in sent.message


@pytest.mark.parametrize(
    ("presented", "reason"),
    [
        (presented_from_der(mesh().issue(uri=["spiffe://acme.internal/sa/web"]).der), "no_matching_rule"),
        (MalformedCertificate("it shows none"), "certificate_malformed"),
    ],
)
def test_who_may_not_is_told_the_reason_and_nothing_of_the_policy(presented: Presented, reason: str) -> None:
    with pytest.raises(StreamRefusedError, match=rf"^denied: {reason} \(decision [0-9a-f-]+\)$") as caught:
        World().open(presented)
    assert caught.value.code == "PERMISSION_DENIED"


def test_law_9_a_stream_ends_when_its_certificate_does() -> None:
    world = World()
    session = world.open()
    world.hub.look()
    world.now = ENVOY.leaf.not_after + 1
    world.hub.look()
    *_, ending = items(session)
    assert (ending.code, str(ending).split(" (")[0]) == ("PERMISSION_DENIED", "denied: certificate_expired")
    assert world.hub.json()["envoys"] == {}


def test_a_fault_of_our_own_ends_the_stream_that_met_it_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    fine, unlucky = world.open(name="fine"), world.open(name="unlucky")

    def broken(*_: object) -> list[Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(unlucky.stream, "received", broken)
    world.hub.received(unlucky, b"")
    assert items(unlucky)[-1].code == "INTERNAL"
    world.hub.publish(snapshot("g2"))
    world.hub.received(fine, FakeEnvoy(False, "fine").first_request())
    assert all(not isinstance(item, StreamRefusedError) for item in items(fine))


@pytest.mark.parametrize("method", ["due", "check_deadlines"])
def test_a_fault_about_one_stream_keeps_no_other_from_what_is_due_or_from_its_end(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    unlucky, fine = world.open(name="unlucky"), world.open(name="fine")
    world.hub.received(fine, FakeEnvoy(False, "fine").answer(items(fine)[0].message))

    def broken(*_: object) -> list[Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(unlucky.stream, method, broken)
    world.hub.publish(snapshot("g2"))
    world.hub.look()
    assert items(unlucky)[-1].code == "INTERNAL"
    assert b"a@g2" in items(fine)[-1].message
    world.now = ENVOY.leaf.not_after + 1
    world.hub.look()
    assert items(fine)[-1].code == "PERMISSION_DENIED"


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_STREAMS", 2)
    world = World()
    sessions = [world.open(name=name) for name in ("a", "b")]
    with pytest.raises(StreamRefusedError, match="2 streams are open"):
        world.open(name="c")
    world.hub.close(sessions[0])
    world.open(name="c")


def test_a_stream_that_does_not_read_its_end_is_cut_once() -> None:
    world = World()
    world.open(name="deaf")
    world.now += limits.ANSWER_SECONDS + 1
    world.hub.look()
    assert world.cuts == []
    world.now += limits.LEAVE_SECONDS + 1
    world.hub.look()
    world.hub.look()
    assert world.cuts == ["deaf"]


def test_one_that_reads_it_is_not_cut() -> None:
    world = World()
    session = world.open(name="polite")
    world.now += limits.ANSWER_SECONDS + 1
    world.hub.look()
    world.hub.close(session)
    world.now += limits.LEAVE_SECONDS + 1
    world.hub.look()
    assert world.cuts == []


def test_the_end_of_the_service_sends_everybody_elsewhere_and_lets_nobody_in() -> None:
    world = World()
    session = world.open()
    world.hub.stop()
    assert items(session)[-1].code == "UNAVAILABLE"
    with pytest.raises(StreamRefusedError):
        world.open(name="late")


def test_what_comes_after_the_end_of_a_stream_is_not_looked_at() -> None:
    world = World()
    session = world.open()
    world.hub.close(session)
    before = len(items(session))
    world.hub.received(session, FakeEnvoy(False).first_request())
    world.hub.close(session)
    assert before == 2
    assert items(session) == []


def test_the_states_of_the_fleet_are_counted() -> None:
    world = World()
    world.open()
    world.hub.count()
    gauge = world.hub._metrics.xds_envoys
    assert gauge.labels("waiting")._value.get() == 1
    assert gauge.labels("rejected")._value.get() == 0
