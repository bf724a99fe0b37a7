"""Answers that were written before: of two verdicts that are alike, the answers differ in the decision's id alone.

Writing an answer costs more than deciding. So it is written once, with an id that no decision has, and kept in the
pieces around it.
"""

from collections.abc import Callable

from extauth.limits import MAX_STENCIL_BYTES, MAX_STENCILS
from policies.peer.cache import BoundedCache
from policies.peer.presented import NamedCaller, PresentedCertificate
from runtime.check import Verdict
from runtime.judge import Judgement

#: Stands for the id of a decision, and is as long: no text of a policy or a certificate holds a NUL.
_BLANK = "\0the id of the decision is here "


class Stencils:
    """Writes answers with `write`, which must depend on nothing but the verdict. Thread-safe."""

    def __init__(self, write: Callable[[Verdict], bytes]) -> None:
        self._write = write
        self._kept: BoundedCache[tuple[object, ...], list[bytes]] = BoundedCache(MAX_STENCILS, MAX_STENCIL_BYTES)

    def answer(self, verdict: Verdict) -> bytes:
        """What `write` would give for this verdict."""
        decision_id = verdict.judgement.decision_id
        if len(decision_id) != len(_BLANK):
            return self._write(verdict)
        likeness = _likeness(verdict)
        pieces = self._kept.get(likeness)
        if pieces is None:
            pieces = self._pieces(verdict)
            self._kept.put(likeness, pieces, sum(map(len, pieces)))
        return decision_id.encode().join(pieces)

    def _pieces(self, verdict: Verdict) -> list[bytes]:
        decision, _, permitted = verdict.judgement
        nameless = verdict._replace(judgement=Judgement(decision, _BLANK, permitted))
        return self._write(nameless).split(_BLANK.encode())


def _likeness(verdict: Verdict) -> tuple[object, ...]:
    """Everything that an answer may depend on, save the id itself.

    INVARIANT: verdicts with equal likeness have answers that are equal but for the id. A generation stands for the
    headers that its rules may set, the key of a certificate for its names.
    """
    judgement, _, peer, xfcc_passes, _, _ = verdict
    decision = judgement.decision
    return (
        judgement.permitted,
        decision.reason,
        decision.rules,
        decision.identities,
        decision.trust,
        decision.headers,
        decision.generation,
        peer.key if isinstance(peer, PresentedCertificate | NamedCaller) else None,
        xfcc_passes,
        verdict.disguised,
    )
