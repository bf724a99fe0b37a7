"""One question over gRPC as bytes, without gRPC: extract, decide, convert."""

from collections.abc import Callable
from concurrent.futures import wait
from contextlib import AbstractContextManager, nullcontext
from time import time

from extauth.request import check_from_bytes, received_from_check
from extauth.response import response_from_verdict
from extauth.stencil import Stencils
from policies.peer.reader import PresentedReader
from runtime.check import Checks, Waiting
from runtime.hops import TrustedHops
from runtime.limits import FIRST_ANSWER_SECONDS


def alone() -> AbstractContextManager[bool]:
    """For a thread that nobody else depends on."""
    return nullcontext(True)


class GrpcCheck:
    """The service: bytes in, bytes out. Used by many threads."""

    def __init__(
        self, checks: Checks, reader: PresentedReader, balancers: TrustedHops, clock: Callable[[], float] = time
    ) -> None:
        self._checks = checks
        self._reader = reader
        self._balancers = balancers
        self._clock = clock
        self._answers = Stencils(lambda verdict: response_from_verdict(verdict).SerializeToString())

    def answer(self, message: bytes, aside: Callable[[], AbstractContextManager[bool]] = alone) -> bytes:
        """Answer a serialized CheckRequest with a serialized CheckResponse.

        `aside`: entered where the thread has to wait for the first answer about a certificate; it gives whether it may.
        """
        verdict = self._checks.attempt(
            lambda policy: received_from_check(
                check_from_bytes(message), policy, self._reader, self._balancers, self._clock()
            )
        )
        if isinstance(verdict, Waiting):
            with aside() as may_wait:
                if may_wait:
                    wait(verdict.first, FIRST_ANSWER_SECONDS)
            verdict = verdict.verdict()
        return self._answers.answer(verdict)
