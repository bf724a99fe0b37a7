"""What is measured is a policy that allows, and a question that Envoy could have asked."""

from pathlib import Path

import pytest

from bench.questions import check_request, http_question
from bench.scenario import LITERAL_PATH, Caller, Mesh, loaded_policy, spread, wildcard_policy_text
from extauth.grpc_check import GrpcCheck
from extauth.wire.messages import CheckResponse
from policies.engine.evaluate import evaluate
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.hops import NO_HOPS
from runtime.judge import FixedPolicy, Judge
from runtime.metrics import Metrics


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Mesh, Path]:
    """A mesh and its policy of 20 rules."""
    mesh = Mesh.new()
    return mesh, mesh.write(tmp_path_factory.mktemp("policy"), 20)


def first_caller(mesh: Mesh) -> Caller:
    return mesh.callers([7])[0]


def test_a_policy_has_as_many_rules_as_said(world: tuple[Mesh, Path]) -> None:
    assert len(loaded_policy(world[1]).rule_ids) == 20


def test_a_policy_of_wildcards_has_as_many_rules_as_said(tmp_path: Path) -> None:
    assert len(loaded_policy(Mesh.new().write(tmp_path, 20, wildcard_policy_text)).rule_ids) == 20


def test_a_caller_may_call_its_own_route_and_no_other(world: tuple[Mesh, Path]) -> None:
    mesh, path = world
    policy, (one, other) = loaded_policy(path), mesh.callers([7, 8])
    assert evaluate(policy, one.request(one.presented(), mesh.time)).rules == ("rule-7",)
    assert not evaluate(policy, other.request(one.presented(), mesh.time)).allowed


def test_a_stranger_is_allowed_by_its_chain_alone(world: tuple[Mesh, Path]) -> None:
    mesh, path = world
    stranger = mesh.stranger(3)
    presented = PresentedReader().from_envoy(stranger.percent_pem, stranger.xfcc)
    assert evaluate(loaded_policy(path), stranger.request(presented, mesh.time)).allowed


def test_the_question_over_grpc_is_answered_with_yes(world: tuple[Mesh, Path]) -> None:
    mesh, path = world
    reader = PresentedReader()
    judge = Judge(FixedPolicy(loaded_policy(path)), Metrics(), None, Enforcement.EXTAUTH)
    check = GrpcCheck(Checks(judge, reader), reader, NO_HOPS, lambda: mesh.time)
    answer = CheckResponse.FromString(check.answer(check_request(first_caller(mesh)).SerializeToString()))
    assert answer.WhichOneof("http_response") == "ok_response"


def test_the_question_over_http_carries_the_certificate(world: tuple[Mesh, Path]) -> None:
    caller = first_caller(world[0])
    question = http_question(caller).decode()
    assert question.startswith(f"GET {LITERAL_PATH} HTTP/1.1\r\nhost: {caller.host}\r\n")
    assert f"x-forwarded-client-cert: {caller.xfcc}\r\n" in question


def test_a_policy_with_problems_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("version: 2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="version_unknown"):
        loaded_policy(path)


@pytest.mark.parametrize(("size", "count"), [(10, 8), (1, 3), (1000, 1)])
def test_numbers_are_spread_over_the_range(size: int, count: int) -> None:
    numbers = spread(size, count)
    assert len(numbers) == count
    assert all(0 <= number < size for number in numbers)
