"""What is new is told at once and never forgotten before Envoy has it; a large policy waits where that is all."""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from extauth.native.files import EXTENSION, EnvoyFiles
from peergate.up import change
from peergate.up.change import CHANGE_FILE, MAX_WAIT_SECONDS, QUIET_SECONDS, TellChange
from pki.authority import Authority
from policies.engine.policy_set import PolicySet
from policies.language.load import load_policy
from policies.language.load_memory import NOTHING_LOADED, LoadMemory
from tests.engine.callers import NoFiles

ROOT = Authority.root("mesh")
OTHER = Authority.root("another")
NOW = ROOT.now.timestamp()
POLICY = """\
version: 1
trust: {mesh: {anchors: [root.pem], spiffe_trust_domain: acme.internal, crls: [root.crl]}}
rules:
  - {id: a, allow: {uri: "spiffe://acme.internal/a"}, to: any}
"""
BLOCKED = POLICY + '  - {id: b, deny: {uri: "spiffe://acme.internal/b"}, to: any}\n'
REQUIRING = POLICY.replace("crls: [root.crl]", "crls: [root.crl], revocation: require")


@dataclass
class World:
    """An Envoy that has a large policy, or does not take the next one yet."""

    files: EnvoyFiles
    folder: Path
    tell: TellChange
    number: int = 0
    memory: LoadMemory = NOTHING_LOADED
    content: dict[str, bytes] = field(default_factory=lambda: {"root.pem": ROOT.pem})

    def policy(self, *revoked: int, text: str = POLICY, lives: timedelta | None = None) -> PolicySet:
        self.number += 1
        next_update = None if lives is None else ROOT.now + lives
        crl = ROOT.crl(revoked, number=self.number, next_update=next_update)
        files = NoFiles({**self.content, "root.crl": crl})
        loaded = load_policy({"p.yaml": text.encode()}, files, memory=self.memory)
        self.memory = loaded.memory
        assert loaded.policy is not None, loaded.problems
        return loaded.policy

    def told(self, policy: PolicySet | None, now: float = NOW) -> bool:
        return self.tell.tell(policy, now, native=True)

    def asked(self, serial: int) -> bool:
        return f'"{serial:x}"' in (self.folder / CHANGE_FILE / f"{CHANGE_FILE}.json").read_text()

    def write(self, policy: PolicySet) -> None:
        self.files.write("policy", EXTENSION, {"name": policy.generation})
        self.tell.written(policy)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(change, "LARGE_BYTES", 10)
    files = EnvoyFiles(tmp_path)
    world = World(files, tmp_path, TellChange(files, "policy"))
    first = world.policy()
    assert world.told(first) is False, "there is nothing yet that Envoy could decide by"
    world.write(first)
    world.tell.taken()
    return world


def test_a_certificate_that_a_crl_lists_is_told_and_the_policy_waits_for_quiet(world: World) -> None:
    assert world.told(world.policy(0xA1)) is True
    assert world.asked(0xA1)
    assert not world.tell.is_due(NOW + QUIET_SECONDS - 0.1)
    assert world.tell.is_due(NOW + QUIET_SECONDS)


def test_each_change_puts_the_policy_off_but_not_for_ever(world: World) -> None:
    now, serials = NOW, [0xA0]
    while now < NOW + MAX_WAIT_SECONDS:
        assert not world.tell.is_due(now)
        assert world.told(world.policy(*serials), now) is True
        assert world.asked(serials[-1])
        now += QUIET_SECONDS - 0.5
        serials.append(serials[-1] + 1)
    assert world.tell.is_due(NOW + MAX_WAIT_SECONDS)
    assert all(map(world.asked, serials[:-1]))


def test_a_clock_that_was_set_back_does_not_make_it_wait_longer(world: World) -> None:
    world.told(world.policy(0xA1))
    assert world.tell.is_due(NOW - 3600)


def test_what_is_new_stays_until_envoy_has_the_last_policy(world: World) -> None:
    first, second = world.policy(0xA1), world.policy(0xA1, 0xA2)
    world.told(first)
    world.told(second)
    world.write(first)
    assert world.asked(0xA1), "it is not taken yet"
    world.tell.taken()
    assert not world.asked(0xA1)
    assert world.asked(0xA2)
    assert world.tell.is_due(NOW + QUIET_SECONDS), "the second one waits still"
    world.write(second)
    assert not world.tell.is_due(NOW + MAX_WAIT_SECONDS)
    assert world.asked(0xA2), "it is not taken yet"
    world.tell.taken()
    assert not world.asked(0xA1)
    assert not world.asked(0xA2)


def test_what_is_listed_again_while_envoy_is_to_take_a_policy_without_it_is_asked_about(world: World) -> None:
    listing = world.policy(0xA1)
    world.told(listing)
    world.write(listing)
    world.tell.taken()
    without = world.policy()
    world.told(without)
    assert world.tell.begin() is without
    assert world.told(world.policy(0xA1)) is True
    assert world.asked(0xA1), "Envoy has a policy that lists it, but may have one without at any moment"
    world.write(without)
    world.tell.taken()
    assert world.asked(0xA1)
    assert world.tell.is_due(NOW + QUIET_SECONDS)


def test_what_waits_decides_as_the_policy_that_is_being_written_too(world: World) -> None:
    first = world.policy(text=REQUIRING, lives=timedelta(days=3))
    world.told(first)
    world.write(first)
    longer = world.policy(text=REQUIRING, lives=timedelta(days=30))
    assert world.told(longer) is True
    assert world.tell.begin() is longer
    assert world.told(world.policy(text=REQUIRING, lives=timedelta(days=10))) is False


def test_what_a_crl_lists_no_more_is_told_too_and_may_wait(world: World) -> None:
    listing = world.policy(0xA1)
    world.told(listing)
    world.write(listing)
    world.tell.taken()
    assert world.told(world.policy()) is True
    assert world.asked(0xA1), "it may be listed again while Envoy takes the policy without it"


def test_other_rules_do_not_wait_but_are_told(world: World) -> None:
    assert world.told(world.policy(text=BLOCKED)) is False
    assert "spiffe://acme.internal/b" in (world.folder / CHANGE_FILE / f"{CHANGE_FILE}.json").read_text()
    assert not world.tell.is_due(NOW + MAX_WAIT_SECONDS)


def test_other_rules_after_a_crl_that_waits_take_it_along(world: World) -> None:
    assert world.told(world.policy(0xA1)) is True
    assert world.told(world.policy(0xA1, text=BLOCKED)) is False
    assert world.asked(0xA1)
    assert not world.tell.is_due(NOW + MAX_WAIT_SECONDS)


def test_a_small_policy_does_not_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change, "LARGE_BYTES", 10_000)
    assert world.told(world.policy(0xA1)) is False
    assert world.asked(0xA1)


def test_other_cas_do_not_wait(world: World) -> None:
    world.content["root.pem"] = ROOT.pem + OTHER.pem
    assert world.told(world.policy(0xA1)) is False
    assert world.asked(0xA1)


@pytest.mark.parametrize(("days", "waits"), [(2, False), (30, True)])
def test_a_crl_that_proves_for_a_shorter_time_does_not_wait_where_it_is_required(
    world: World, days: int, waits: bool
) -> None:
    first = world.policy(text=REQUIRING, lives=timedelta(days=3))
    world.told(first)
    world.write(first)
    assert world.told(world.policy(0xA1, text=REQUIRING, lives=timedelta(days=days))) is waits


def test_more_than_the_small_filter_holds_does_not_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extauth.native.change.MAX_CHANGED_SERIALS", 2)
    assert world.told(world.policy(0xA1, 0xA2)) is True
    assert world.told(world.policy(0xA1, 0xA2, 0xA3)) is False
    assert world.asked(0xA1), "who is asked about already stays so"
    assert not world.asked(0xA3)


def test_of_more_than_the_small_filter_holds_nobody_is_let_go_while_envoy_takes_a_policy_without_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extauth.native.change.MAX_CHANGED_SERIALS", 2)
    first = world.policy(0xA1)
    world.told(first)
    world.told(world.policy(0xA1, 0xA2))
    world.told(world.policy(0xA1, 0xA2, 0xA3, 0xA4))
    world.write(first)
    world.tell.taken()
    assert world.asked(0xA2)


def test_crls_that_follow_each_other_without_a_pause_leave_envoy_free_between_two_policies(world: World) -> None:
    now, serials, taking, written = NOW, [0xA0], None, list[float]()
    while now < NOW + 200:
        if (now - NOW) % 1.5 == 0:
            serials.append(serials[-1] + 1)
            world.told(world.policy(*serials), now)
        if taking is not None and now - taking[0] >= 3:
            world.write(taking[1])
            world.tell.taken()
            written.append(now)
            taking = None
        elif taking is None and world.tell.is_due(now):
            begun = world.tell.begin()
            assert begun is not None
            taking = (now, begun)
        now += 0.25
    assert len(written) >= 4
    assert min(later - sooner for sooner, later in pairwise(written)) >= MAX_WAIT_SECONDS
    assert world.asked(serials[-1])
    assert not world.asked(serials[1]), "Envoy has it in its policy, the small filter stays small"


def test_where_everything_is_asked_nothing_waits(world: World) -> None:
    assert world.told(None) is False
    assert world.tell.tell(world.policy(0xA1), NOW, native=False) is False
    assert not world.asked(0xA1)
