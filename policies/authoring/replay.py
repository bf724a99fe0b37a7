"""Judges traffic again: one JSON line in, one answer out, whatever the line holds.

Law kept here: a line that cannot be read as a request is answered with `request_malformed`; it is never skipped, and
nothing raises. `docs/commands.md` gives the format of lines and answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from policies.authoring.json_line import LineError, object_from_line
from policies.authoring.limits import MAX_REMEMBERED_CERTIFICATES
from policies.authoring.replay_peer import PeerReader
from policies.authoring.replay_request import IGNORABLE_FIELDS, REQUEST_FIELDS, request_from_fields
from policies.engine.decision import Decision
from policies.engine.evaluate import evaluate
from policies.engine.policy_set import PolicySet
from policies.engine.recorded import RecordError, RecordReader
from policies.engine.request import Request
from policies.peer.presented import AssertedIdentity
from policies.reason import Effect, Reason

Answer = dict[str, object]
_EFFECTS = tuple(Effect)
_KNOWN_FIELDS = REQUEST_FIELDS | IGNORABLE_FIELDS
#: A line with one of these fields is a decision record.
_RECORD_MARKS = ("@timestamp", "enforcement", "http.request.method")


@dataclass(frozen=True, slots=True)
class Judged:
    """A line and what was decided on it. `fields`: what it says; `request`: None if that is no request.

    `changed`: whether the effect is another than the one that the line carried; None if it carried none.
    """

    fields: Mapping[str, object]
    request: Request | None
    decision: Decision
    changed: bool | None


class Replay:
    """Answers lines under one policy. `clock` gives the time (epoch seconds) for lines that name none."""

    def __init__(self, policy: PolicySet, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._peers = PeerReader(policy.trust)
        self._records = RecordReader(MAX_REMEMBERED_CERTIFICATES)

    def answer(self, line: bytes) -> Answer:
        """The answer to `line`.

        `effect`, `reason`, `rules` and `generation` are always there; `changed` if the line carried an effect: whether
        this one differs. `checks` is `skipped` if the caller was asserted, so that no certificate was judged.
        """
        judged = self.judged(line)
        fields, request = judged.fields, judged.request
        answer = answer_from_decision(judged.decision)
        if request is not None and isinstance(request.peer, AssertedIdentity):
            answer["checks"] = "skipped"
        ignored = [] if request is None or _is_record(fields) else sorted(fields.keys() - _KNOWN_FIELDS)
        if ignored:
            answer["ignored"] = ignored
        if isinstance(fields.get("decision_id"), str):
            answer["decision_id"] = fields["decision_id"]
        if judged.changed is not None:
            answer["changed"] = judged.changed
        return answer

    def judged(self, line: bytes) -> Judged:
        """What is decided on `line`; a refusal, whatever is wrong with it."""
        fields: Mapping[str, object] = {}
        request = None
        try:
            fields = object_from_line(line)
            request, decision = self._decided(fields)
        except LineError as error:
            decision = self._refusal(str(error))
        except Exception as error:  # noqa: BLE001 - no error permits, and no line ends a replay
            decision = self._refusal(f"{type(error).__name__} while judging the line", Reason.INTERNAL_ERROR)
        changed = fields["effect"] != decision.effect if "effect" in fields else None
        return Judged(fields, request, decision, changed)

    def _decided(self, fields: Mapping[str, object]) -> tuple[Request, Decision]:
        if "effect" in fields and fields["effect"] not in _EFFECTS:
            raise LineError("`effect` is neither allow nor deny")
        request = self._request(fields)
        return request, evaluate(self._policy, request)

    def _request(self, fields: Mapping[str, object]) -> Request:
        if not _is_record(fields):
            return request_from_fields(fields, self._peers, self._clock)
        try:
            return self._records.request(fields)
        except RecordError as error:
            raise LineError(str(error)) from None

    def _refusal(self, problem: str, reason: Reason = Reason.REQUEST_MALFORMED) -> Decision:
        return Decision.refusal(reason, self._policy.generation, problem)


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


def _is_record(fields: Mapping[str, object]) -> bool:
    return any(mark in fields for mark in _RECORD_MARKS)
