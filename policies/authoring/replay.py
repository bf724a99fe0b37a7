"""Judges traffic again: one JSON line in, one answer out, whatever the line holds.

Law kept here: a line that cannot be read as a request is answered with `request_malformed`; it is never skipped, and
nothing raises. `docs/commands.md` gives the format of lines and answers.
"""

from collections.abc import Callable, Mapping

from policies.authoring.json_line import LineError, object_from_line
from policies.authoring.replay_peer import PeerReader
from policies.authoring.replay_request import IGNORABLE_FIELDS, REQUEST_FIELDS, request_from_fields
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.recorded import RecordError, request_from_record
from policies.engine.request import Request
from policies.peer.presented import AssertedIdentity
from policies.reason import Effect, Reason

Answer = dict[str, object]
#: A line with one of these fields is a decision record.
_RECORD_MARKS = ("@timestamp", "enforcement", "http.request.method")


class Replay:
    """Answers lines under one policy. `clock` gives the time (epoch seconds) for lines that name none."""

    def __init__(self, policy: PolicySet, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._peers = PeerReader(policy.trust)

    def answer(self, line: bytes) -> Answer:
        """The answer to `line`.

        `effect`, `reason`, `rules` and `generation` are always there; `changed` if the line carried an effect: whether
        this one differs. `checks` is `skipped` if the caller was asserted, so that no certificate was judged.
        """
        fields: Mapping[str, object] = {}
        try:
            fields = object_from_line(line)
            answer = self._judged(fields)
        except LineError as error:
            answer = self._refusal(str(error))
        except Exception as error:  # noqa: BLE001 - no error permits, and no line ends a replay
            answer = self._refusal(f"{type(error).__name__} while judging the line", Reason.INTERNAL_ERROR)
        if isinstance(fields.get("decision_id"), str):
            answer["decision_id"] = fields["decision_id"]
        if "effect" in fields:
            answer["changed"] = fields["effect"] != answer["effect"]
        return answer

    def _judged(self, fields: Mapping[str, object]) -> Answer:
        if "effect" in fields and fields["effect"] not in tuple(Effect):
            raise LineError("`effect` is neither allow nor deny")
        recorded = any(mark in fields for mark in _RECORD_MARKS)
        request = _recorded(fields) if recorded else request_from_fields(fields, self._peers, self._clock)
        answer = answer_from_decision(evaluate(self._policy, request))
        if isinstance(request.peer, AssertedIdentity):
            answer["checks"] = "skipped"
        ignored = () if recorded else sorted(fields.keys() - REQUEST_FIELDS - IGNORABLE_FIELDS)
        if ignored:
            answer["ignored"] = ignored
        return answer

    def _refusal(self, problem: str, reason: Reason = Reason.REQUEST_MALFORMED) -> Answer:
        return answer_from_decision(Decision.refusal(reason, self._policy.generation, problem))


def answer_from_decision(decision: Decision) -> Answer:
    """What a decision says, as plain values; parts that say nothing are left out."""
    answer: Answer = {
        "effect": decision.effect.value,
        "reason": decision.reason.value,
        "rules": list(decision.rules),
    }
    told: dict[str, object] = {
        "identities": list(decision.identities),
        "trust": list(decision.trust),
        "captures": dict(decision.captures),
        "headers": dict(decision.headers),
        "unknown": list(decision.unknown),
        "problems": list(decision.problems),
        "shadow": decision.shadow and answer_from_decision(decision.shadow),
    }
    return answer | {name: value for name, value in told.items() if value} | {"generation": decision.generation}


def _recorded(fields: Mapping[str, object]) -> Request:
    try:
        return request_from_record(fields)
    except RecordError as error:
        raise LineError(str(error)) from None
