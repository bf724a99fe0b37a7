"""The ext_authz service in this process, both forms of it, with a policy and a clock that the test sets."""

import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from extauth.grpc_check import GrpcCheck
from extauth.grpc_server import GrpcServer
from extauth.http_app import HttpCheck
from extauth.http_request import HttpReader
from extauth.http_server import HttpServer
from policies.engine.policy_set import PolicySet
from policies.engine.record import Enforcement
from policies.peer.reader import PresentedReader
from runtime.address import UnixAddress
from runtime.check import Checks
from runtime.hops import TrustedHops
from runtime.judge import Judge
from runtime.listener import listener_from_address
from runtime.metrics import Metrics


class LocalExtauth:
    """A context manager. `current` is the policy in force, `now` the time of every question (None = the clock's)."""

    def __init__(self, folder: Path, seen_headers: tuple[str, ...] = (), verified_for: str | None = None) -> None:
        self.current: PolicySet | None = None
        self.now: float | None = None
        self.grpc = UnixAddress(str(folder / "grpc.sock"))
        self.http = UnixAddress(str(folder / "http.sock"))
        self._seen_headers = seen_headers
        self._verified_for = verified_for
        self._running = ExitStack()

    def __enter__(self) -> Self:
        hops = TrustedHops.parse(("unix",))
        reader = PresentedReader(verified_for=self._verified_for)
        checks = Checks(Judge(self, Metrics(), None, Enforcement.EXTAUTH), reader)
        with ExitStack() as starting:
            # Over gRPC nobody is trusted: the transport peer is the client, whatever it says.
            grpc = GrpcServer(GrpcCheck(checks, reader, TrustedHops(), self._clock), lambda: True, self.grpc)
            starting.callback(grpc.stop, 0)
            grpc.start()
            http_check = HttpCheck(checks, HttpReader(reader, hops, self._seen_headers), self._clock)
            http = HttpServer(http_check, listener_from_address(self.http))
            starting.callback(http.stop, 0)
            http.start()
            self._running = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _clock(self) -> float:
        return time.time() if self.now is None else self.now
