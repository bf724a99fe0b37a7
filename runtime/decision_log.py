"""The decision log: every decision leaves one line, or its loss is counted (law 10).

A request only appends to a queue in memory, which is bounded in records and in bytes. A thread turns what is queued
into JSON and writes it; what the queue cannot take, and what the sink refuses, is counted by cause and said in the
service log.
"""

from collections import deque
from collections.abc import Iterator
from threading import Event, Lock, Thread
from time import sleep
from typing import NamedTuple

from policies.engine.decision import Decision
from policies.engine.policy_set import PolicySet
from policies.engine.record_lines import RecordLines
from policies.engine.request import Request
from policies.peer.presented import NamedCaller, PresentedCertificate
from runtime.complaint import Complaint
from runtime.errors import ConfigurationError
from runtime.limits import (
    BATCH_SECONDS,
    ENCODE_AT_ONCE,
    ENCODE_REST_SECONDS,
    LOG_CLOSE_SECONDS,
    MAX_BATCH_RECORDS,
    MAX_QUEUED_RECORDS,
)
from runtime.log_sink import FileSink, LogSink, StandardOutput
from runtime.metrics import LossCause, Metrics
from runtime.service_log import service_logger

#: Estimated bytes of requests that wait for the writer; reached before the bound on records only by hostile requests.
MAX_QUEUED_BYTES = 128 * 1024 * 1024
#: Bytes that an entry takes beside the texts of its request.
_ENTRY_BYTES = 1024
#: Bytes of one character in memory, at most.
_CHARACTER_BYTES = 4

_LOGGER = service_logger("decision_log")


class Entry(NamedTuple):
    """What a record is made of. `time`: epoch seconds; `latency`: seconds; `following`: of the next policy."""

    decision: Decision
    request: Request | None
    decision_id: str
    enforcement: str
    time: float
    latency: float
    policy: PolicySet | None
    trace_id: str | None
    following: Decision | None = None

    def size(self) -> int:
        """Bytes in memory, estimated. A certificate counts in full, though other entries may share it."""
        request = self.request
        if request is None:
            return _ENTRY_BYTES
        characters = len(request.target) + len(request.host) + len(request.method)
        if request.headers:
            characters += sum(len(value) for values in request.headers.values() for value in values)
        size = _ENTRY_BYTES + (characters if request.target.isascii() else characters * _CHARACTER_BYTES)
        peer = request.peer
        if isinstance(peer, PresentedCertificate):
            size += peer.size
        elif isinstance(peer, NamedCaller):
            size += sum(map(len, (*(peer.facts.uri or ()), *(peer.facts.dns or ()))))
        return size


class DecisionLog:
    """A bounded queue and the thread that empties it into a sink."""

    def __init__(
        self,
        sink: LogSink,
        metrics: Metrics,
        *,
        queue_limit: int = MAX_QUEUED_RECORDS,
        byte_limit: int = MAX_QUEUED_BYTES,
    ) -> None:
        self._sink = sink
        self._metrics = metrics
        self._queue: deque[tuple[Entry, int]] = deque()
        self._lines = RecordLines()
        self._queue_limit = queue_limit
        self._byte_limit = byte_limit
        # INVARIANT: under the lock, every entry taken in is queued, in the writer's hands, or counted.
        self._lock = Lock()
        self._queued_bytes = 0
        self._in_hand = 0
        self._closed = False
        self._abandoned = False
        self._told = False
        self._wake = Event()
        self._closing = Event()
        self._reopen = False
        self._complaints = {cause: Complaint() for cause in LossCause}
        self._thread = Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def append(self, entry: Entry) -> None:
        """Queue one record. Never waits for the sink and never raises."""
        size = entry.size()
        with self._lock:
            if self._closed:
                cause = LossCause.CLOSED
            elif len(self._queue) >= self._queue_limit or self._queued_bytes + size > self._byte_limit:
                cause = LossCause.QUEUE_FULL
            else:
                cause = None
                self._queue.append((entry, size))
                self._queued_bytes += size
        if cause is not None:
            self._lose(1, cause)
            return
        # INVARIANT: the writer clears `_told` before it empties the queue, so an entry is seen or tells it again.
        if not self._told:
            self._told = True
            self._wake.set()

    @property
    def queued(self) -> int:
        """How many records wait to be written."""
        return len(self._queue)

    def reopen(self) -> None:
        """Open the file anew before the next write: after logrotate, on SIGHUP."""
        self._reopen = True

    def close(self, seconds: float = LOG_CLOSE_SECONDS) -> None:
        """Write what is queued, for at most `seconds`; the rest is counted as lost."""
        with self._lock:
            self._closed = True
        self._closing.set()
        self._wake.set()
        self._thread.join(seconds)
        with self._lock:
            # What the writer still holds, its sink may never take: it counts as lost, and the writer counts no more.
            left = len(self._queue) + self._in_hand
            self._queue.clear()
            self._queued_bytes = 0
            self._abandoned = True
        if left:
            self._lose(left, LossCause.CLOSED)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            self._closing.wait(BATCH_SECONDS)
            self._told = False
            self._empty_queue()
        self._empty_queue()
        self._sink.close()

    def _empty_queue(self) -> None:
        while lines := list(self._encoded(MAX_BATCH_RECORDS)):
            try:
                if self._reopen:
                    self._reopen = False
                    self._sink.reopen()
                arrived = self._sink.write(lines)
            except OSError as error:
                self._settle(0, len(lines), LossCause.SINK_FAILED, error)
                continue
            self._settle(arrived, len(lines) - arrived, LossCause.SINK_FAILED)

    def _settle(self, written: int, lost: int, cause: LossCause, error: Exception | None = None) -> None:
        """Count what the writer had in hand, unless closing has counted it."""
        with self._lock:
            if self._abandoned:
                return
            self._in_hand -= written + lost
            self._metrics.records_written.inc(written)
        if lost:
            self._lose(lost, cause, error)

    def _encoded(self, limit: int) -> Iterator[bytes]:
        left = limit
        while entries := self._taken(min(left, ENCODE_AT_ONCE)):
            left -= len(entries)
            for entry in entries:
                try:
                    line = self._line(entry)
                except Exception as error:  # noqa: BLE001 - a record that cannot be written must not end the log
                    self._settle(0, 1, LossCause.UNWRITABLE, error)
                    continue
                yield line.encode() + b"\n"
            if len(entries) == ENCODE_AT_ONCE:
                sleep(ENCODE_REST_SECONDS)

    def _taken(self, limit: int) -> list[Entry]:
        """The oldest entries, now in the writer's hands."""
        with self._lock:
            taken = [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]
            self._queued_bytes -= sum(size for _, size in taken)
            self._in_hand += len(taken)
        return [entry for entry, _ in taken]

    def _line(self, entry: Entry) -> str:
        return self._lines.line(
            entry.decision,
            entry.request,
            decision_id=entry.decision_id,
            enforcement=entry.enforcement,
            time=entry.time,
            latency=entry.latency,
            labels={} if entry.policy is None else entry.policy.labels(entry.decision.rules),
            trace_id=entry.trace_id,
            following=entry.following,
        )

    def _lose(self, records: int, cause: LossCause, error: Exception | None = None) -> None:
        self._metrics.records_lost[cause].inc(records)
        if times := self._complaints[cause].due():
            facts = {"cause": cause.value, "records": records, "times": times, "error": str(error or "")}
            _LOGGER.error("decision records lost", extra={"facts": facts})


def decision_log_from_text(text: str, metrics: Metrics, *, lock_path: str | None = None) -> DecisionLog | None:
    """The log that `--decision-log` names: a file, `-` for standard output, None for `off`.

    `lock_path`: a file that all processes lock which write to the same place. Raises ConfigurationError.
    """
    if text == "off":
        return None
    if not text or "\0" in text:
        raise ConfigurationError("the decision log is a file name, - for standard output, or off")
    try:
        sink: LogSink = StandardOutput(lock_path) if text == "-" else FileSink(text, lock_path)
    except OSError as error:
        raise ConfigurationError(f"the decision log {text} cannot be opened: {error.strerror or error}") from error
    return DecisionLog(sink, metrics)
