"""What is known beside the files of a policy: answers of OCSP responders, CRLs that leaves name, what was in force."""

from collections.abc import Callable
from dataclasses import dataclass

from policies.peer.fetch_url import FetchUrl
from policies.peer.ocsp_answers import NO_ANSWERS, OcspAnswers
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory


def _note_nothing(url: FetchUrl) -> None:
    """For commands that look at a policy and go nowhere."""


@dataclass(frozen=True, slots=True)
class LiveSources:
    """`answers`: of OCSP responders, now and later. `named_crls`: those that leaves have named; `note_crl` takes more.

    A policy is compiled with the CRLs that are named when it is read; one that is named later needs another reading.
    `memory`: of what was in force before this process began.
    """

    answers: OcspAnswers = NO_ANSWERS
    named_crls: tuple[FetchUrl, ...] = ()
    note_crl: Callable[[FetchUrl], None] = _note_nothing
    memory: TrustMemory = NOTHING_REMEMBERED


NOTHING_LIVE = LiveSources()
