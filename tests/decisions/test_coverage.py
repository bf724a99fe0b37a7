"""What the corpus must keep covering."""

from policies.reason import Reason
from tests.decisions.corpus import cases

#: These are about the state of a process, not about a request; the tests of judge and service cover them.
_NOT_OF_A_REQUEST = {Reason.POLICY_UNAVAILABLE, Reason.INTERNAL_ERROR}


def test_every_reason_is_given() -> None:
    assert {case.expect.reason for case in cases("engine")} == set(Reason) - _NOT_OF_A_REQUEST


def test_every_reason_is_given_through_envoy_but_for_what_envoy_refuses_itself() -> None:
    given = {case.expect.reason for case in cases("envoy") if not case.refused_by_envoy}
    assert given == set(Reason) - _NOT_OF_A_REQUEST - {Reason.REQUEST_MALFORMED}


def test_no_case_is_kept_from_the_engine_or_from_grpc() -> None:
    assert len(cases("engine")) == len(cases("grpc")) >= 600


def test_few_cases_cannot_go_through_envoy_and_each_says_why() -> None:
    kept_away = [case for case in cases("engine") if "envoy" in case.not_through and not case.verified_for]
    assert all(case.not_through["envoy"] for case in kept_away)
    assert len(kept_away) <= 50
