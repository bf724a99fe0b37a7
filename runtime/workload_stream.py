"""One Workload API, listened to over gRPC in a thread.

While it is gone, what it told last stays good, and it is asked again and again (SPIFFE_Workload_API.md §4.2).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import quote

import grpc

from policies.peer.bundle_source import WorkloadApi
from runtime import limits
from runtime.metrics import BundleResult, Metrics
from runtime.service_log import service_logger
from runtime.workload_told import WorkloadTold

_LOGGER = service_logger("spiffe")

_METHOD = "/SpiffeWorkloadAPI/FetchX509Bundles"
#: SPIFFE_Workload_Endpoint.md §3: required of every request, against requests that others made us send.
_METADATA = (("workload.spiffe.io", "true"),)
#: §6 of it: asking again will not help, so it is done as seldom as may be.
_FINAL = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED})
#: Failures in a row that count as so many that the longest wait follows.
_GIVEN_UP = 64
#: Characters of what a server says of an error.
MAX_DETAIL_CHARS = 200
_OPTIONS = (
    ("grpc.max_receive_message_length", limits.MAX_WORKLOAD_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", limits.WORKLOAD_KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", limits.WORKLOAD_KEEPALIVE_TIMEOUT_MS),
    # A new channel begins anew, without the waiting time of one that failed before.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


def reconnect_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(limits.RETRY_SECONDS * 2.0 ** min(failures - 1, 16), limits.MAX_RECONNECT_SECONDS)


class WorkloadStream:
    """The Workload API and its thread. `told`: what it told; `tried`: set once it has answered or failed."""

    def __init__(self, api: WorkloadApi, metrics: Metrics, jitter: Callable[[], float]) -> None:
        self.told = WorkloadTold(str(api), metrics)
        self.tried = Event()
        self._api = api
        self._metrics = metrics
        self._jitter = jitter
        self._problem = ""
        self._said = ""
        self._failures = 0
        self._silent_since: float | None = monotonic()
        self._stop = Event()
        self._wake = Event()
        self._call: Any = None
        Thread(target=self._run, name="workload-api", daemon=True).start()

    @property
    def silent_seconds(self) -> float:
        """How long it has told nothing because it is gone, or has never answered; 0 while its stream is good."""
        since = self._silent_since
        return 0.0 if since is None else monotonic() - since

    def notices(self) -> tuple[str, ...]:
        """What an operator should know, in words."""
        whole = self._problem
        if self._silent_since is not None:
            kept = "its last good bundles stay" if self.told.any_good else "it has told no bundle"
            whole = f"gone for {self.silent_seconds:.0f} s, {kept}: {whole or 'no answer yet'}"
        found = [*([whole] if whole else []), *filter(None, self.told.problems())]
        return tuple(f"the Workload API {self._api}: {problem}" for problem in found)

    def ask_again(self) -> None:
        """Do not wait any longer, if it is gone."""
        self._wake.set()

    def end(self) -> None:
        """Listen no more; a call that is under way is not waited for."""
        self._stop.set()
        self._wake.set()
        if self._call is not None:
            self._call.cancel()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
                problem, failures = "it ended the stream", self._failures + 1
            except grpc.RpcError as error:
                status, problem = _failure(error)
                failures = _GIVEN_UP if status in _FINAL else self._failures + 1
            except Exception as error:
                _LOGGER.exception("listening to a Workload API failed")
                problem, failures = repr(error), self._failures + 1
            if self._stop.is_set():
                return
            self._lost(problem, failures)
            # Many processes that lost it at one moment do not ask at one moment again.
            self._wake.wait(reconnect_seconds(failures) * (0.5 + self._jitter() / 2))
            self._wake.clear()

    def _listen(self) -> None:
        with self._messages() as messages:
            for message in messages:
                self._problem = self.told.take(message)
                self._said, self._failures, self._silent_since = "", 0, None
                self.tried.set()

    @contextmanager
    def _messages(self) -> Iterator[Iterable[bytes]]:
        """Its messages from now on; the first is sent at once."""
        with grpc.insecure_channel(f"unix:{quote(self._api.path)}", options=_OPTIONS) as channel:
            method = channel.unary_stream(_METHOD, request_serializer=None, response_deserializer=None)
            self._call = method(b"", metadata=_METADATA)
            if self._stop.is_set():
                self._call.cancel()
            yield self._call

    def _lost(self, problem: str, failures: int) -> None:
        if self._silent_since is None:
            self._silent_since = monotonic()
        self._problem, self._failures = problem, failures
        self._metrics.bundle_updates[BundleResult.FAILED].inc()
        self._say(problem)
        self.tried.set()

    def _say(self, problem: str) -> None:
        """Once, however often it is met again: it is asked every few seconds, and `/readyz` tells all the while."""
        if problem == self._said:
            return
        self._said = problem
        message = "Workload API gone, last good bundles kept" if self.told.any_good else "Workload API tells no bundle"
        _LOGGER.warning(message, extra={"facts": {"api": str(self._api), "problem": problem}})


def _failure(error: grpc.RpcError) -> tuple[grpc.StatusCode | None, str]:
    """The status of a call that failed, and what to say of it."""
    # What gRPC raises from a call is a Call too, which the type does not say.
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    if code is None or details is None:
        return None, str(error)
    status = code()
    return status, f"{status.name}: {str(details() or '')[:MAX_DETAIL_CHARS]}"
