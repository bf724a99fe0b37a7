"""The fuzz harness: its targets hold on a first few inputs, and what breaks a law is found, made small and told."""

from itertools import islice
from pathlib import Path

import pytest

from extauth.wire.messages import CheckResponse
from fuzz.__main__ import main
from fuzz.run import failure_of, fuzzed, inputs
from fuzz.target import Target, require
from fuzz.targets import TARGETS, question
from fuzz.world import NOW, der, policy
from policies.peer.certificate import certificate_from_der
from policies.peer.presented import presented_from_certificate


def _no_zero_byte(data: bytes) -> None:
    require(b"\0" not in data, "there is no zero byte")


BROKEN = Target("broken", "no zero byte", [b"harmless text that is long"], _no_zero_byte, [b"abc\0def"])


@pytest.mark.parametrize("name", TARGETS)
def test_the_law_of_every_target_holds_on_its_seeds_and_first_mutations(name: str) -> None:
    assert fuzzed(TARGETS[name], seed=1, seconds=30, most=150).finding is None


def first_inputs(name: str, seed: int) -> list[bytes]:
    target = TARGETS[name]
    return [data for _, data in islice(inputs(target, seed), len(target.seeds) + 20)]


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_makes_the_same_inputs(name: str) -> None:
    assert first_inputs(name, 7) == first_inputs(name, 7)


def test_another_seed_makes_other_inputs() -> None:
    assert first_inputs("path", 1) != first_inputs("path", 2)


def test_what_breaks_a_law_is_found_and_made_small() -> None:
    finding = fuzzed(BROKEN, seed=1, seconds=30).finding
    assert finding is not None
    assert finding.data == b"\0"
    assert finding.failure == "Violation: there is no zero byte"


def test_any_exception_is_a_finding() -> None:
    def fail(data: bytes) -> None:
        raise KeyError(data)

    assert failure_of(Target("raises", "never raises", [b"a"], fail), b"a") == "KeyError: b'a'"


def test_the_good_certificate_of_the_seeds_is_trusted() -> None:
    presented = presented_from_certificate(certificate_from_der(der("billing")), [der("issuing")])
    assert policy().trust.standing(presented, NOW).trust == {"mesh"}


def test_the_first_question_of_the_seeds_is_allowed_so_that_mutations_start_from_a_yes() -> None:
    answer = CheckResponse.FromString(question._GRPC.answer(question.CHECK.seeds[0]))
    assert answer.WhichOneof("http_response") == "ok_response"


def test_a_finding_ends_with_1_and_says_how_to_see_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "broken", BROKEN)
    assert main(["--seconds", "20", "--target", "broken", "--findings", str(tmp_path)]) == 1
    (found,) = tmp_path.iterdir()
    assert f"--target broken --input {found}" in capsys.readouterr().out
    assert main(["--target", "broken", "--input", str(found)]) == 1
    assert "there is no zero byte" in capsys.readouterr().out


def test_a_run_without_findings_ends_with_0(tmp_path: Path) -> None:
    assert main(["--seconds", "0.2", "--target", "host", "--findings", str(tmp_path)]) == 0
    assert not list(tmp_path.iterdir())
