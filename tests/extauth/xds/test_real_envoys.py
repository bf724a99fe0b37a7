"""Three real Envoys, two of them with the state-of-the-world form and one with the delta form, and what may happen.

`PEERGATE_OUTAGE_SECONDS` is the length of the outage: short in a normal run, ten minutes under `make soak`.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from runtime.address import TcpAddress
from runtime.envoy.discovery import Form
from tests.extauth.service_process import free_port
from tests.extauth.xds.world import BILLING, WEB, LocalXds, Proxy, World, eventually, policy_text, proxies

OUTAGE_SECONDS = float(os.environ.get("PEERGATE_OUTAGE_SECONDS", "0.5"))
pytestmark = pytest.mark.timeout(120 + 3 * OUTAGE_SECONDS)
FORMS = (Form.STATE_OF_THE_WORLD, Form.DELTA, Form.STATE_OF_THE_WORLD)
FILTERS, TRUST = "TypedExtensionConfig", "Secret"


@dataclass
class Fleet:
    """The Envoys and the service, which can be started anew at its address."""

    world: World
    port: int
    xds: LocalXds
    envoys: list[Proxy]
    written: int = 0

    def put(self, *allowed: str, broken: str = "", trust: str = "") -> None:
        """Put a policy in force, and wait until the service sends it."""
        before = self.xds.live.current
        self.written += 1
        # A generation of its own, also for a policy that was there before.
        self.world.write(f"# {self.written}\n" + policy_text(*allowed, broken=broken, trust=trust))
        eventually(lambda: self.xds.live.current is not before and self.is_sent())

    def is_sent(self) -> bool:
        current = self.xds.live.current
        return current is not None and self.xds.fleet()["generation"] == current.generation

    def states(self, kind: str = FILTERS) -> set[str]:
        nodes = self.xds.nodes().values()
        return {node["types"].get(kind, {"state": "unknown"})["state"] if node["connected"] else "" for node in nodes}

    def settle(self, state: str = "current") -> None:
        """Wait until every Envoy is in this state."""
        eventually(lambda: len(self.xds.nodes()) == len(self.envoys) and self.states() == {state})

    @property
    def generation(self) -> str:
        current = self.xds.live.current
        assert current is not None
        return current.generation

    def verdicts(self) -> list[tuple[int, int]]:
        """For each Envoy: what billing and web are answered."""
        world = self.world
        return [(envoy.get(world.billing).status, envoy.get(world.web).status) for envoy in self.envoys]

    def generations(self) -> set[str]:
        """What the filters of each Envoy are made of, by their own word."""
        return {envoy.get(self.world.billing).headers.get("x-generation", "") for envoy in self.envoys}

    def stop(self) -> None:
        self.xds.__exit__(None, None, None)

    def start(self) -> None:
        self.xds = LocalXds(self.world, self.port)
        self.xds.__enter__()


@pytest.fixture(scope="module")
def shared(envoy_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    world = World(tmp_path_factory.mktemp("fleet"))
    world.write(policy_text(BILLING))
    port = free_port()
    with ExitStack() as stack:
        xds = LocalXds(world, port)
        xds.__enter__()
        envoys = stack.enter_context(proxies(envoy_binary, world, [TcpAddress("127.0.0.1", port)], 3, FORMS))
        fleet = Fleet(world, port, xds, envoys)
        yield fleet
        # The one that runs now may be another one.
        fleet.stop()


@pytest.fixture
def fleet(shared: Fleet) -> Fleet:
    """The fleet in order, with a policy that lets billing in and keeps web out."""
    shared.put(BILLING)
    shared.settle()
    return shared


def test_every_envoy_enforces_the_policy_and_is_known_to_have_it(fleet: Fleet) -> None:
    assert fleet.verdicts() == [(200, 403)] * 3
    assert fleet.generations() == {fleet.generation}
    for node in fleet.xds.nodes().values():
        assert node["caller"].startswith("spiffe://acme.internal/envoy/")
        assert node["envoy"].count(".") == 2
        for kind in (FILTERS, TRUST):
            assert node["types"][kind]["generation"] == fleet.generation
            assert node["types"][kind]["acked_age_seconds"] < 60
            assert node["types"][kind]["error"] is None


def test_a_new_policy_reaches_every_envoy(fleet: Fleet) -> None:
    fleet.put(WEB)
    fleet.settle()
    assert fleet.verdicts() == [(403, 200)] * 3
    assert fleet.generations() == {fleet.generation}


@pytest.mark.parametrize(("broken", "complaint"), [("rbac", "missing )"), ("clean", "BROKEN")])
def test_a_push_that_envoys_refuse_leaves_each_with_the_whole_of_the_last_good_policy(
    fleet: Fleet, broken: str, complaint: str
) -> None:
    good = fleet.generation
    fleet.put(WEB, broken=broken)
    fleet.settle("rejected")
    pushes = fleet.xds.pushes
    assert fleet.verdicts() == [(200, 403)] * 3
    assert fleet.generations() == {good}, "a chain of two generations"
    for node in fleet.xds.nodes().values():
        told = node["types"][FILTERS]
        assert (told["generation"], told["restored"]) == (good, True)
        assert complaint in told["error"]
        assert node["types"][TRUST]["generation"] == good
    time.sleep(0.5)
    assert fleet.xds.pushes == pushes, "what was refused was sent again"
    fleet.put(WEB)
    fleet.settle()
    assert fleet.verdicts() == [(403, 200)] * 3


def test_a_restarted_service_sends_nothing_that_the_fleet_has(fleet: Fleet) -> None:
    fleet.stop()
    assert fleet.verdicts() == [(200, 403)] * 3
    fleet.start()
    fleet.settle()
    eventually(lambda: fleet.states(TRUST) == {"current"})
    assert fleet.xds.pushes == 0
    assert fleet.verdicts() == [(200, 403)] * 3


def test_a_service_that_is_restarted_with_a_refused_policy_sends_it_once(fleet: Fleet) -> None:
    good = fleet.generation
    fleet.put(WEB, broken="rbac")
    fleet.settle("rejected")
    fleet.stop()
    fleet.start()
    fleet.settle("rejected")
    time.sleep(0.5)
    assert fleet.xds.pushes == 3
    assert fleet.verdicts() == [(200, 403)] * 3
    # The service that restored the last good policy is gone; of its filters, those before the bad one are new.
    assert fleet.generations() <= {good, fleet.generation}


def test_through_an_outage_every_envoy_keeps_its_policy_and_then_gets_the_next_one(fleet: Fleet) -> None:
    fleet.stop()
    ends = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < ends:
        assert fleet.verdicts() == [(200, 403)] * 3
        time.sleep(0.2)
    fleet.world.write(policy_text(WEB))
    fleet.start()
    fleet.settle()
    assert fleet.verdicts() == [(403, 200)] * 3


def test_a_policy_that_cannot_be_compiled_leaves_the_fleet_as_it_is(fleet: Fleet) -> None:
    good = fleet.generation
    source = fleet.xds.front._source
    filters, source._filters_from_policy = source._filters_from_policy, lambda _: []
    try:
        fleet.world.write(policy_text(WEB))
        eventually(lambda: fleet.generation != good and fleet.xds.fleet()["problem"] is not None)
        assert "no filter at all" in fleet.xds.fleet()["problem"]
        assert any("no filter at all" in notice for notice in fleet.xds.front.report().notices)
        assert fleet.verdicts() == [(200, 403)] * 3
        assert fleet.xds.fleet()["generation"] == good
    finally:
        source._filters_from_policy = filters
    fleet.put(WEB, BILLING)
    assert fleet.xds.fleet()["problem"] is None


def test_an_envoy_that_no_rule_allows_any_more_is_cut_off_and_keeps_what_it_has(fleet: Fleet) -> None:
    fleet.world.write(policy_text(WEB).replace("{id: fleet, allow: envoys", "{id: fleet, deny: envoys"))
    eventually(lambda: not any(node["connected"] for node in fleet.xds.nodes().values()))
    time.sleep(0.5)
    # It was sent the policy that cuts it off, or kept the one before: either way a whole one, and it serves on.
    assert len(fleet.generations()) == 1
    fleet.put(BILLING)
    fleet.settle()
    assert fleet.verdicts() == [(200, 403)] * 3


def test_a_certificate_that_a_crl_lists_does_not_get_through_the_handshake(fleet: Fleet) -> None:
    world = fleet.world
    issued = world.mesh.issue(uri=[BILLING])
    for name, content in (("lost.pem", issued.chain_pem), ("lost.key", issued.key_pem)):
        (world.folder / name).write_bytes(content)
    lost = type(world.billing)(world.folder / "lost.pem", world.folder / "lost.key")
    (world.policy / "mesh.crl").write_bytes(world.mesh.crl(number=1))
    trust = ", revocation: require, crls: [mesh.crl]"
    fleet.put(BILLING, trust=trust)
    fleet.settle()
    eventually(lambda: fleet.states(TRUST) == {"current"})
    assert [envoy.get(lost).status for envoy in fleet.envoys] == [200] * 3
    new = world.policy / ".crl"
    new.write_bytes(world.mesh.crl([issued.certificate], number=2))
    new.replace(world.policy / "mesh.crl")
    eventually(lambda: all(is_refused(envoy, lost) for envoy in fleet.envoys), 10)
    assert fleet.verdicts() == [(200, 403)] * 3


def is_refused(envoy: Proxy, who: object) -> bool:
    """In the handshake, whose end the client sees when it reads."""
    with suppress(OSError):
        envoy.get(who)  # type: ignore[arg-type]
        return False
    return True
