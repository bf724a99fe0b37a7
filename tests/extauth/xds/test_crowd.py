"""Fifty Envoys' worth of clients that connect at once, lose their service, and come back to another replica."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from peergate.demo.client import Credentials
from runtime.address import TcpAddress
from tests.extauth.xds.fake_envoy import FakeEnvoy
from tests.extauth.xds.grpc_client import DELTA, SOTW, Stream, channel, envoy_certificate
from tests.extauth.xds.world import BILLING, PLACES, WEB, LocalXds, World, eventually, policy_text

COUNT = 50
NAMES = tuple(place.name for place in PLACES)


@dataclass
class Member:
    """A client with a connection of its own."""

    world: World
    envoy: FakeEnvoy

    def connect(self, address: TcpAddress) -> None:
        self.stack = ExitStack()
        connection = self.stack.enter_context(channel(self.world, address, self.certificate))
        self.stream = self.stack.enter_context(Stream(connection, DELTA if self.envoy.delta else SOTW))
        self.stream.send(self.envoy.first_request())

    def take(self) -> None:
        """Take one push."""
        self.stream.send(self.envoy.answer(self.stream.read(30)))

    @property
    def certificate(self) -> Credentials:
        return Credentials(self.world.folder / "client-0.pem", self.world.folder / "client-0.key")

    def leave(self) -> None:
        self.stack.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.write(policy_text(BILLING))
    envoy_certificate(made)
    return made


@pytest.fixture
def crowd(world: World) -> list[Member]:
    return [Member(world, FakeEnvoy(number % 2 == 1, f"e{number}", NAMES)) for number in range(COUNT)]


def test_a_crowd_that_reconnects_gets_what_it_lacks_once_and_nothing_else(world: World, crowd: list[Member]) -> None:
    with ThreadPoolExecutor(COUNT) as threads, LocalXds(world) as first:
        for_all(threads, crowd, lambda member: member.connect(first.address))
        for_all(threads, crowd, Member.take)
        eventually(lambda: first.fleet()["envoys"] == {"current": COUNT})
        assert first.pushes == COUNT
        for_all(threads, crowd, Member.leave)
        with LocalXds(world) as second:
            # Another replica of the same policy: nobody lacks anything.
            for_all(threads, crowd, lambda member: member.connect(second.address))
            eventually(lambda: second.fleet()["envoys"] == {"current": COUNT})
            assert second.pushes == 0
            # The next policy goes to each of them once.
            world.write(policy_text(WEB))
            for_all(threads, crowd, Member.take)
            eventually(lambda: second.fleet()["envoys"] == {"current": COUNT})
            assert second.pushes == COUNT
            for_all(threads, crowd, Member.leave)
    generations = {version.partition("+")[0] for member in crowd for version in member.envoy.seen}
    assert len(generations) == 2
    assert {len(member.envoy.seen) for member in crowd} == {2}


def for_all(threads: ThreadPoolExecutor, crowd: list[Member], act: Callable[[Member], None]) -> None:
    assert len(list(threads.map(act, crowd))) == COUNT
