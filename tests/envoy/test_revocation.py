"""Law 9 through a real Envoy: what is revoked now is refused now, also on sessions and connections from before."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from runtime.envoy.ext_authz import Authorization
from tests.envoy.callers import Place, Told, every_kind
from tests.envoy.revocation_world import (
    IN_FORCE_SECONDS,
    RevocationWorld,
    in_force,
    metric,
    replace_file,
    seconds_until_refused,
    this_second,
    told_to_all,
    write_in_place,
)
from tests.support.extauth_process import ExtauthProcess
from tests.support.front import front

LET_IN = Told(200, "")
REVOKED = Told(403, "certificate_revoked")

Say = Callable[[str, dict[str, float]], None]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> RevocationWorld:
    return RevocationWorld(tmp_path_factory.mktemp("revocation"))


@pytest.fixture(scope="module")
def running(world: RevocationWorld) -> Iterator[ExtauthProcess]:
    with ExtauthProcess.start(world.policy, world.folder) as started:
        yield started


@pytest.fixture(scope="module")
def place(world: RevocationWorld, running: ExtauthProcess, envoy_binary: Path) -> Iterator[Place]:
    with front(envoy_binary, Authorization(running.listen, timeout=5), world.folder) as started:
        yield Place(started.address, started.server_ca)


@pytest.fixture
def service(world: RevocationWorld, running: ExtauthProcess) -> ExtauthProcess:
    """The service on a good policy and an empty CRL, whatever a test before did."""
    world.write_policy("require")
    replace_file(world.crl_file, world.crl())
    in_force(running, world)
    return running


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    """What stays open until the test ends."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print what was measured."""

    def say(what: str, seconds: dict[str, float]) -> None:
        with capsys.disabled():
            print(f"\n  {what}: " + ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items()))

    return say


@pytest.mark.parametrize("write", [replace_file, write_in_place], ids=["renamed over", "written in place"])
def test_a_crl_swap_refuses_fresh_resumed_and_open_connections_within_two_seconds(
    write: Callable[[Path, bytes], None],
    service: ExtauthProcess,
    world: RevocationWorld,
    place: Place,
    kept: ExitStack,
    say: Say,
) -> None:
    stolen, stolen_files = world.client("stolen")
    _, other_files = world.client("other")
    callers, others = every_kind(place, stolen_files, kept), every_kind(place, other_files, kept)
    assert set(told_to_all(callers).values()) == {LET_IN}
    crl = world.crl(stolen)
    swapped = time.monotonic()
    write(world.crl_file, crl)
    seconds = seconds_until_refused(callers, swapped)
    say("refused after a CRL swap", seconds)
    assert max(seconds.values()) < IN_FORCE_SECONDS
    assert set(told_to_all(callers).values()) == {REVOKED}
    assert set(told_to_all(others).values()) == {LET_IN}


def test_two_revocations_in_the_same_second_both_take_effect(
    service: ExtauthProcess, world: RevocationWorld, place: Place, kept: ExitStack, say: Say
) -> None:
    """The CRLs have one thisUpdate, and their files one mtime, as on a file system that keeps whole seconds."""
    first, first_files = world.client("first")
    second, second_files = world.client("second")
    first_callers, second_callers = every_kind(place, first_files, kept), every_kind(place, second_files, kept)
    moment = this_second()

    def publish(crl: bytes) -> float:
        world.crl_file.write_bytes(crl)
        os.utime(world.crl_file, (moment.timestamp(), moment.timestamp()))
        return time.monotonic()

    swapped = publish(world.crl(first, this_update=moment))
    seconds = seconds_until_refused(first_callers, swapped)
    assert set(told_to_all(second_callers).values()) == {LET_IN}
    swapped = publish(world.crl(first, second, this_update=moment))
    seconds_second = seconds_until_refused(second_callers, swapped)
    say("the first of one second", seconds)
    say("the second of it", seconds_second)
    assert max(*seconds.values(), *seconds_second.values()) < IN_FORCE_SECONDS
    assert set(told_to_all(first_callers).values()) == {REVOKED}


def test_two_crls_within_a_few_milliseconds_end_in_the_last(
    service: ExtauthProcess, world: RevocationWorld, place: Place, kept: ExitStack, say: Say
) -> None:
    first, first_files = world.client("early")
    second, second_files = world.client("late")
    callers = {
        **{f"early, {name}": caller for name, caller in every_kind(place, first_files, kept).items()},
        **{f"late, {name}": caller for name, caller in every_kind(place, second_files, kept).items()},
    }
    moment = this_second()
    replace_file(world.crl_file, world.crl(first, this_update=moment))
    time.sleep(0.02)
    swapped = time.monotonic()
    replace_file(world.crl_file, world.crl(first, second, this_update=moment))
    seconds = seconds_until_refused(callers, swapped)
    say("two swaps at once", {"the last of all": max(seconds.values())})
    assert max(seconds.values()) < IN_FORCE_SECONDS


def test_a_replayed_older_crl_is_refused_and_counted_and_the_certificate_stays_refused(
    service: ExtauthProcess, world: RevocationWorld, place: Place, kept: ExitStack
) -> None:
    stolen, stolen_files = world.client("replayer")
    callers = every_kind(place, stolen_files, kept)
    before = world.crl()
    replace_file(world.crl_file, before)
    in_force(service, world)
    assert set(told_to_all(callers).values()) == {LET_IN}
    newest = world.crl(stolen)
    replace_file(world.crl_file, newest)
    good = in_force(service, world)
    failures = metric(world, "peergate_policy_loads_total", result="failure")

    replace_file(world.crl_file, before)
    status = service.wait_for(lambda status: bool(status["problems"]))
    assert (status["ready"], status["state"], status["generation"]) == (True, "last_good", good["generation"])
    assert [problem.split(": ")[1] for problem in status["problems"]] == ["crl_older"]
    assert set(told_to_all(callers).values()) == {REVOKED}
    assert metric(world, "peergate_policy_loads_total", result="failure") == failures + 1
    assert metric(world, "peergate_policy_last_load_failed") == 1

    replace_file(world.crl_file, newest)
    in_force(service, world)
    assert set(told_to_all(callers).values()) == {REVOKED}
    assert metric(world, "peergate_policy_last_load_failed") == 0


@pytest.mark.parametrize("revocation", ["require", "if-available"])
def test_a_crl_that_goes_missing_is_a_load_problem_and_what_it_revoked_stays_refused(
    revocation: str, service: ExtauthProcess, world: RevocationWorld, place: Place, kept: ExitStack
) -> None:
    stolen, stolen_files = world.client("stolen")
    _, other_files = world.client("other")
    world.write_policy(revocation)
    replace_file(world.crl_file, world.crl(stolen))
    in_force(service, world)
    world.crl_file.unlink()
    status = service.wait_for(lambda status: bool(status["problems"]))
    assert (status["state"], status["problems"][0].split(": ")[1]) == ("last_good", "file_unreadable")
    assert set(told_to_all(every_kind(place, stolen_files, kept)).values()) == {REVOKED}
    assert set(told_to_all(every_kind(place, other_files, kept)).values()) == {LET_IN}


def test_a_deny_rule_on_a_fingerprint_takes_effect_on_open_connections_within_one_reload(
    service: ExtauthProcess, world: RevocationWorld, place: Place, kept: ExitStack, say: Say
) -> None:
    stolen, stolen_files = world.client("blocked")
    _, other_files = world.client("bystander")
    callers, others = every_kind(place, stolen_files, kept), every_kind(place, other_files, kept)
    assert set(told_to_all(callers).values()) == {LET_IN}
    loads = metric(world, "peergate_policy_loads_total")
    fingerprint = hashlib.sha256(stolen.der).hexdigest()
    block = f'  - {{id: emergency, deny: {{trust: mesh, fingerprint: "sha256:{fingerprint}"}}, to: any}}\n'
    swapped = time.monotonic()
    world.write_policy("require", block)
    seconds = seconds_until_refused(callers, swapped)
    say("refused by a deny rule on the fingerprint", seconds)
    assert max(seconds.values()) < IN_FORCE_SECONDS
    assert set(told_to_all(callers).values()) == {Told(403, "denied_by_rule")}
    assert set(told_to_all(others).values()) == {LET_IN}
    assert metric(world, "peergate_policy_loads_total") == loads + 1
