"""gRPC health is what the policy is, at the time of the question."""

from collections.abc import Callable

import pytest

from extauth.health import AUTHORIZATION, health_answer
from extauth.wire.messages import HealthCheckRequest, HealthCheckResponse


def status(service: str, is_serving: Callable[[], bool]) -> int | None:
    answer = health_answer(HealthCheckRequest(service=service).SerializeToString(), is_serving)
    return None if answer is None else HealthCheckResponse.FromString(answer).status


@pytest.mark.parametrize("service", ["", AUTHORIZATION])
def test_a_service_with_a_policy_serves(service: str) -> None:
    assert status(service, lambda: True) == HealthCheckResponse.SERVING


@pytest.mark.parametrize("service", ["", AUTHORIZATION])
def test_a_service_without_a_policy_does_not(service: str) -> None:
    assert status(service, lambda: False) == HealthCheckResponse.NOT_SERVING


def test_another_service_is_not_known() -> None:
    assert status("acme.Other", lambda: True) is None


def test_an_unreadable_question_is_not_known() -> None:
    assert health_answer(b"\xff\xff", lambda: True) is None
