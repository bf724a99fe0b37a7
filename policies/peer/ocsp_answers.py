"""The answers of OCSP responders, as whoever judges sees them: what is known now, and what is about to be."""

from concurrent.futures import Future
from typing import Protocol

from policies.peer.ocsp import OcspAnswer, OcspQuestion

#: Done when the first attempt to ask a responder about a certificate has ended, well or not.
FirstAnswer = Future[None]


class OcspAnswers(Protocol):
    """What responders have answered. To look for an answer is to have it asked for from then on."""

    def latest(self, question: OcspQuestion) -> OcspAnswer | None:
        """The last answer that counts, at once; None if there is none."""
        ...

    def awaited(self, question: OcspQuestion) -> FirstAnswer | None:
        """The first answer if it is under way; None if there is nothing to wait for."""
        ...


class _NobodyAsked:
    """For commands that look at a policy and go nowhere."""

    def latest(self, question: OcspQuestion) -> OcspAnswer | None:
        return None

    def awaited(self, question: OcspQuestion) -> FirstAnswer | None:
        return None


NO_ANSWERS: OcspAnswers = _NobodyAsked()
