"""Random policies, certificates and raw requests: a real Envoy, with whom it asks, does as the engine says."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from extauth.native.compile import Compiled, compiled_from_policy
from extauth.native.matcher import in_order
from extauth.native.names import Names
from fuzz.native import fleet, run
from fuzz.native.__main__ import main
from fuzz.native.cases import Question, Seed
from fuzz.native.compare import Outcome
from fuzz.native.grammar import scenario
from fuzz.native.run import fuzzed, kept, replayed, seeds, smaller
from fuzz.native.world import Caller
from policies.engine.policy_set import PolicySet

#: About half a minute. `make fuzz` asks more.
CASES = 50_000

ALLOWED = Seed(
    "a request that is allowed",
    "{mesh: {anchors: [mesh.pem], spiffe_trust_domain: td}}",
    ('{id: r0, allow: {uri: "spiffe://td/a"}, to: any}', '{id: r1, deny: {uri: "spiffe://td/b"}, to: any}'),
    Caller("mesh", uri=("spiffe://td/a",)),
    "127.0.0.2",
    Question("GET", "/", ("h.x",), (("x-h", "v"),)),
)
DENIED = replace(ALLOWED, caller=Caller("mesh", uri=("spiffe://td/b",)))


@pytest.mark.timeout(400)
def test_envoy_lets_through_what_the_engine_allows_and_nothing_else(envoy_binary: Path) -> None:
    total = Outcome()
    for outcome in fuzzed(envoy_binary, seed=1, cases=CASES, seconds=360):
        total.add(outcome)
        assert [found.text for found in total.differences] == []
    assert total.cases >= CASES
    # Envoy itself decides a good part, in both ways, or the law is held by asking alone.
    assert total.decided > CASES / 4
    assert total.allowed > CASES / 100
    assert total.asked > CASES / 10


def test_every_seed_is_answered_as_the_engine_says(envoy_binary: Path) -> None:
    again = seeds()
    outcome = replayed(envoy_binary, again)
    assert [found.text for found in outcome.differences] == []
    assert outcome.cases == len(again) > 0


def test_a_request_is_let_through_and_the_same_of_another_caller_is_not(envoy_binary: Path) -> None:
    outcome = replayed(envoy_binary, [ALLOWED, DENIED])
    assert (outcome.decided, outcome.allowed, outcome.differences) == (2, 1, [])


def test_a_difference_is_made_small_and_kept_for_the_next_run(tmp_path: Path) -> None:
    def differing(seed: Seed) -> Seed | None:
        return seed if any("r1" in rule for rule in seed.rules) else None

    found = smaller(ALLOWED, differing)
    assert found is not None
    assert (found.rules, found.question.headers) == (ALLOWED.rules[1:], ())
    kept(found, tmp_path)
    assert seeds(tmp_path) == [found]


def test_what_does_not_differ_alone_is_told_so() -> None:
    assert smaller(ALLOWED, lambda seed: None) is None


def test_the_same_seed_makes_the_same_scenarios() -> None:
    assert [scenario(Random(1)) for _ in range(3)] == [scenario(Random(1)) for _ in range(3)]
    assert scenario(Random(1)) != scenario(Random(2))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Envoy that lets everybody in whom it does not turn away at the handshake."""

    def compiled(policy: PolicySet, time: float, ports: tuple[int, ...] = ()) -> Compiled:
        everything = Names(policy.generation).allowed_by("r0")
        return replace(compiled_from_policy(policy, time, ports), decides=in_order([], everything))

    monkeypatch.setattr(fleet, "compiled_from_policy", compiled)


@pytest.mark.usefixtures("opened")
def test_an_envoy_that_lets_too_much_through_is_found_out(envoy_binary: Path) -> None:
    (found,) = replayed(envoy_binary, [ALLOWED, DENIED]).differences
    assert found.about == "let through, the engine says deny (denied_by_rule r1)"
    assert found.caller == DENIED.caller


@pytest.mark.usefixtures("opened")
def test_a_run_that_finds_a_difference_ends_with_1_and_the_seed_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "BATCH", 1)
    monkeypatch.setattr(run, "scenario", lambda random: DENIED.scenario)
    assert main(["--cases", "1", "--findings", str(tmp_path)]) == 1
    (path,) = tmp_path.iterdir()
    assert f"kept as {path}" in capsys.readouterr().out
    (seed,) = seeds(tmp_path)
    assert (seed.caller, seed.question.headers) == (DENIED.caller, ())
    assert main(["--again", "--findings", str(tmp_path)]) == 1
    assert "1 differ" in capsys.readouterr().out


def test_a_run_without_a_difference_ends_with_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    assert main(["--seed", "3", "--cases", "10", "--findings", str(tmp_path)]) == 0
    assert "0 differ" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
