"""One question over gRPC as bytes, without gRPC: extract, decide, convert."""

from collections.abc import Callable
from time import time

from extauth.request import check_from_bytes, received_from_check
from extauth.response import response_from_verdict
from extauth.stencil import Stencils
from policies.peer.reader import PresentedReader
from runtime.check import Checks
from runtime.hops import TrustedHops


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

    def answer(self, message: bytes) -> bytes:
        """Answer a serialized CheckRequest with a serialized CheckResponse."""
        verdict = self._checks.verdict(
            lambda policy: received_from_check(
                check_from_bytes(message), policy, self._reader, self._balancers, self._clock()
            )
        )
        return self._answers.answer(verdict)
