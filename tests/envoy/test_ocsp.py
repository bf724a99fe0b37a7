"""OCSP through a real Envoy, with a real responder: what it says counts at once, and its failure hurts nobody else."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread

import pytest

from runtime.envoy.ext_authz import Authorization
from tests.envoy.callers import Fresh, OpenHttp1, Place, Told, every_kind
from tests.envoy.ocsp_world import OcspWorld, hurry
from tests.envoy.revocation_world import IN_FORCE_SECONDS, seconds_until_refused, told_to_all
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import front

LET_IN = Told(200, "")
REVOKED = Told(403, "certificate_revoked")
UNKNOWN = Told(403, "revocation_unknown")
#: Rounds of measuring, for a healthy responder and one in trouble, and requests in each. `make soak` measures more;
#: few requests say little of the slowest of a hundred, so they get some milliseconds more.
ROUNDS = int(os.environ.get("PEERGATE_OCSP_ROUNDS", "2"))
REQUESTS, GRACE_SECONDS = (100, 0.01) if ROUNDS == 2 else (400, 0.0)
_NAMES = count()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OcspWorld]:
    world = OcspWorld(tmp_path_factory.mktemp("ocsp"))
    yield world
    world.close()


@pytest.fixture(scope="module")
def service(world: OcspWorld) -> Iterator[ExtauthProcess]:
    with ExtauthProcess.start(world.policy, world.folder) as started:
        yield started


@pytest.fixture(scope="module")
def place(world: OcspWorld, service: ExtauthProcess, envoy_binary: Path) -> Iterator[Place]:
    # Longer than the wait for a first answer, which is 1 s.
    with front(envoy_binary, Authorization(service.listen, timeout=1.5), world.folder) as started:
        yield Place(started.address, started.server_ca)


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """What stays open until the test ends."""
    with ExitStack() as stack:
        yield stack


def test_a_good_caller_is_let_in_by_his_first_request_and_a_revocation_refuses_him_on_every_kind_of_connection(
    world: OcspWorld, service: ExtauthProcess, place: Place, kept: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stolen, stolen_files = world.client("stolen")
    _, other_files = world.client("other")
    world.start_responder()
    assert Fresh(place, stolen_files).ask() == LET_IN
    callers, others = every_kind(place, stolen_files, kept), every_kind(place, other_files, kept)
    assert set(told_to_all(callers).values()) == {LET_IN}
    world.statuses[stolen.certificate.serial_number] = "R"
    world.start_responder()
    changed = time.monotonic()
    hurry(service.pid)
    seconds = seconds_until_refused(callers, changed)
    with capsys.disabled():
        print(f"\n  refused after a SIGHUP: {max(seconds.values()):.2f} s at most")
    assert max(seconds.values()) < IN_FORCE_SECONDS
    assert set(told_to_all(callers).values()) == {REVOKED}
    assert set(told_to_all(others).values()) == {LET_IN}


def test_whom_the_responder_calls_revoked_or_does_not_know_is_refused_from_the_first_request_on(
    world: OcspWorld, place: Place
) -> None:
    _, revoked = world.client("revoked", "R")
    _, unknown = world.client("unknown", None)
    world.start_responder()
    assert Fresh(place, revoked).ask() == REVOKED
    assert Fresh(place, unknown).ask() == UNKNOWN


def break_responder(world: OcspWorld, trouble: str) -> None:
    """From now on it is killed, answers after 30 s, answers rubbish, or knows nobody."""
    if trouble == "killed":
        world.kill_responder()
    elif trouble == "unknown":
        known, world.statuses = world.statuses, {}
        world.start_responder()
        world.statuses = known
    else:
        world.relay.mode = trouble


def mend_responder(world: OcspWorld, service: ExtauthProcess) -> None:
    """Have it well again, and the service know it."""
    world.relay.mend()
    world.start_responder()
    hurry(service.pid)
    service.wait_for(lambda status: "cannot be reached" not in str(status["notices"]))


class Knocking:
    """Strangers to the service, one after the other, whose certificates it has to ask about."""

    def __init__(self, world: OcspWorld, place: Place, strangers: int) -> None:
        files = [world.client(f"stranger-{next(_NAMES)}")[1] for _ in range(strangers)]
        self._callers = iter([Fresh(place, one) for one in files])
        self._stop = Event()
        self.told: list[Told] = []
        self._thread = Thread(target=self._knock)

    def _knock(self) -> None:
        for caller in self._callers:
            if self._stop.is_set():
                return
            self.told.append(caller.ask())

    def __enter__(self) -> "Knocking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def slowest_of_a_hundred(caller: OpenHttp1) -> float:
    """The 99th percentile of a round, seconds."""
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        assert caller.ask() == LET_IN
        taken.append(time.perf_counter() - began)
        time.sleep(0.001)
    return quantiles(taken, n=100)[98]


def rounds(steady: OpenHttp1, strangers: list[Knocking]) -> float:
    """The smallest 99th percentile of some rounds, each with strangers at the door: what else runs here only adds."""
    measured = []
    for knocking in strangers:
        with knocking:
            measured.append(slowest_of_a_hundred(steady))
    return min(measured)


@pytest.mark.parametrize("trouble", ["killed", "delay", "malformed", "unknown"])
def test_a_responder_in_trouble_refuses_whom_it_was_to_tell_of_and_slows_nobody_else(
    trouble: str,
    world: OcspWorld,
    service: ExtauthProcess,
    place: Place,
    kept: ExitStack,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, files = world.client(f"steady-{trouble}")
    healthy, troubled = ([Knocking(world, place, REQUESTS // 20) for _ in range(ROUNDS)] for _ in range(2))
    mend_responder(world, service)
    steady = kept.enter_context(OpenHttp1(place, files))
    assert steady.ask() == LET_IN
    usual = rounds(steady, healthy)
    break_responder(world, trouble)
    measured = rounds(steady, troubled)
    assert {told for knocking in healthy for told in knocking.told} == {LET_IN}
    assert {told for knocking in troubled for told in knocking.told} == {UNKNOWN}
    with capsys.disabled():
        print(f"\n  {trouble}: p99 {measured * 1e3:.2f} ms, else {usual * 1e3:.2f} ms")
    assert measured <= 2 * usual + GRACE_SECONDS


def test_when_it_is_well_again_whom_it_knows_is_let_in(world: OcspWorld, service: ExtauthProcess, place: Place) -> None:
    _, files = world.client("patient")
    mend_responder(world, service)
    world.kill_responder()
    caller = Fresh(place, files)
    assert caller.ask() == UNKNOWN
    world.start_responder()
    deadline = time.monotonic() + 12
    while caller.ask() != LET_IN:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_under_if_available_a_dead_responder_refuses_nobody(
    world: OcspWorld, service: ExtauthProcess, place: Place
) -> None:
    world.kill_responder()
    generation = service.status()["generation"]
    world.write_policy("if-available")
    service.wait_for(lambda status: status["generation"] != generation)
    _, files = world.client("carefree")
    assert Fresh(place, files).ask() == LET_IN
    notices = str(service.wait_for(lambda status: "cannot be reached" in str(status["notices"]))["notices"])
    assert f"http://127.0.0.1:{world.relay.port} cannot be reached" in notices
