"""What a denied caller reads, the same at every enforcement point: the reason, the id of the decision, no policy."""

from policies.reason import Reason
from runtime.identity_headers import DECISION_ID, REASON
from runtime.judge import Judgement

Headers = tuple[tuple[str, str], ...]


def http_status_of(reason: Reason) -> int:
    """The status of a denial: 421 (RFC 9110 §15.5.20) asks the client to connect anew with the right name, else 403."""
    return 421 if reason is Reason.SNI_MISMATCH else 403


def denial_body(judgement: Judgement) -> str:
    """What a denied caller reads: JSON, ASCII. Envoy shows it to gRPC clients as `grpc-message`."""
    reason = judgement.decision.reason
    return f'{{"error":"denied","reason":"{reason.value}","decision_id":"{judgement.decision_id}"}}'


def denial_headers(judgement: Judgement) -> Headers:
    """The headers of a denial. Envoy replaces the content type for gRPC clients."""
    return (
        ("content-type", "application/json"),
        (REASON, judgement.decision.reason.value),
        (DECISION_ID, judgement.decision_id),
    )


def answer_from_denial(judgement: Judgement) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer over HTTP."""
    body = denial_body(judgement).encode()
    length = ("content-length", str(len(body)))
    return http_status_of(judgement.decision.reason), (*denial_headers(judgement), length), body
