"""The decision corpus through `evaluate`, and once more through the record of each decision."""

import json

import pytest

from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement, decision_record, line_from_record
from policies.engine.recorded import request_from_record
from policies.engine.request import Request
from tests.decisions.conftest import Settings
from tests.decisions.corpus import Case, Verdict, cases
from tests.decisions.engine import request_from_case


def _asked(case: Case, setting: Settings) -> tuple[PolicySet, Request]:
    world, policy = setting(case.file)
    return policy, request_from_case(case, world, policy, world.time(case.at))


@pytest.mark.parametrize("case", cases("engine"), ids=str)
def test_the_engine_decides(case: Case, setting: Settings) -> None:
    decision = evaluate(*_asked(case, setting))
    assert _verdict_of(decision) == case.expect
    assert (_verdict_of(decision.shadow) if decision.shadow else None) == case.shadow
    if case.captures is not None:
        assert dict(decision.captures) == case.captures


@pytest.mark.parametrize("case", cases("engine"), ids=str)
def test_law_10_the_record_decides_the_same(case: Case, setting: Settings) -> None:
    policy, request = _asked(case, setting)
    record = decision_record(
        evaluate(policy, request),
        request,
        decision_id="0" * 32,
        enforcement=Enforcement.EXTAUTH,
        time=request.time,
        latency=0.0,
        labels={},
    )
    replayed = request_from_record(json.loads(line_from_record(record)))
    assert _verdict_of(evaluate(policy, replayed)) == case.expect


def _verdict_of(decision: Decision) -> Verdict:
    return Verdict(decision.effect, decision.reason, decision.rules)
