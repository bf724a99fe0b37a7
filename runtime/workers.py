"""The supervisor of `--workers N`: spawns the workers, starts dead ones again, and speaks for all of them.

It serves no request itself. Workers are spawned, not forked, so none inherits a lock or a thread in an odd state; they
share the port by SO_REUSEPORT, so each has a queue of its own and the kernel spreads connections.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from signal import SIGHUP, SIGTERM, Signals
from time import monotonic
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from runtime.configuration import ServeConfiguration
from runtime.errors import ConfigurationError
from runtime.limits import (
    END_GRACE_SECONDS,
    LOG_CLOSE_SECONDS,
    MAX_RESTART_SECONDS,
    REPORT_SECONDS,
    RESTART_SECONDS,
    SILENT_SECONDS,
    WORKER_PROVEN_SECONDS,
)
from runtime.process_status import ProcessStatus, ServiceStatus
from runtime.service import FrontFactory
from runtime.service_log import service_logger
from runtime.signals import SignalInbox
from runtime.worker import WorkerRefused, run_worker

_LOGGER = service_logger("workers")
_MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SPAWN = get_context("spawn")


@dataclass(slots=True)
class _Seat:
    """One of the N places, and the worker that has it now. Times are of the monotonic clock."""

    process: SpawnProcess | None = None
    connection: Connection | None = None
    status: ProcessStatus | None = None
    started_at: float = 0.0
    heard_at: float = 0.0
    start_at: float = 0.0
    died_young: int = 0


@dataclass(slots=True)
class _Fleet:
    """The workers' places and what has become of them."""

    seats: list[_Seat]
    restarts: int = 0
    draining: bool = False
    has_served: bool = False


class Supervisor:
    """Keeps N workers alive. Enter it, `run()` it; leaving ends every worker."""

    def __init__(self, configuration: ServeConfiguration, factory: FrontFactory, inbox: SignalInbox) -> None:
        self._configuration = configuration
        self._factory = factory
        self._inbox = inbox
        self._memory = NOTHING_REMEMBERED
        self._fleet = _Fleet([_Seat() for _ in range(configuration.workers)])
        self.registry = CollectorRegistry()

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="peergate-")
        # Workers inherit it; this process has imported prometheus-client already and counts nothing.
        os.environ[_MULTIPROCESS_VARIABLE] = self._folder.name
        MultiProcessCollector(  # type: ignore[no-untyped-call]  # prometheus-client leaves it untyped
            self.registry, path=self._folder.name
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end_workers()
        del os.environ[_MULTIPROCESS_VARIABLE]
        self._folder.cleanup()

    def status(self) -> ServiceStatus:
        """What the service is now, by the last word of each worker. Safe in any thread."""
        now = monotonic()
        fleet = self._fleet
        spoken = tuple(None if now - seat.heard_at > SILENT_SECONDS else seat.status for seat in fleet.seats)
        return ServiceStatus(spoken, self._configuration.observe, fleet.restarts, draining=fleet.draining)

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT. Raises ConfigurationError if the workers refuse their configuration."""
        while True:
            now = monotonic()
            for seat in self._fleet.seats:
                if seat.process is None and now >= seat.start_at:
                    self._start(seat)
            wait([self._inbox.fileno(), *self._connections()], self._patience(now))
            for seat in self._fleet.seats:
                self._listen(seat)
            received = self._inbox.received()
            if Signals.SIGHUP in received:
                self._send(SIGHUP)
            if Signals.SIGTERM in received or Signals.SIGINT in received:
                return

    def _start(self, seat: _Seat) -> None:
        ours, theirs = _SPAWN.Pipe()
        lock_path = str(Path(self._folder.name) / "decision-log.lock")
        arguments = (self._configuration, self._factory, theirs, lock_path, self._memory)
        process = _SPAWN.Process(target=run_worker, args=arguments, name="peergate-worker", daemon=True)
        try:
            process.start()
        except OSError:
            _LOGGER.exception("a worker cannot be started")
            ours.close()
            seat.start_at = monotonic() + MAX_RESTART_SECONDS
            return
        finally:
            theirs.close()
        seat.process, seat.connection, seat.status = process, ours, None
        seat.started_at = seat.heard_at = monotonic()

    def _listen(self, seat: _Seat) -> None:
        """Take in what the worker said; find out whether it died."""
        if seat.connection is None:
            return
        try:
            while seat.connection.poll():
                message = seat.connection.recv()
                if isinstance(message, WorkerRefused):
                    self._refused(message)
                elif isinstance(message, TrustMemory):
                    self._memory = self._memory.joined(message)
                else:
                    seat.status, seat.heard_at = message, monotonic()
                    self._fleet.has_served |= message.listening
        except (EOFError, OSError):
            self._bury(seat)

    def _refused(self, message: WorkerRefused) -> None:
        if not self._fleet.has_served:
            raise ConfigurationError(message.message)
        _LOGGER.error("a worker refused its configuration", extra={"facts": {"problem": message.message}})

    def _bury(self, seat: _Seat) -> None:
        """Its end of the pipe is closed: the worker is dead, or as good as dead."""
        process = seat.process
        if process is None:
            return
        process.join(REPORT_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        now = monotonic()
        seat.died_young = seat.died_young + 1 if now - seat.started_at < WORKER_PROVEN_SECONDS else 0
        delay = min(RESTART_SECONDS * 2 ** min(seat.died_young, 16), MAX_RESTART_SECONDS)
        facts = {"pid": process.pid, "exit_code": process.exitcode, "again_in_seconds": delay}
        _LOGGER.error("a worker died", extra={"facts": facts})
        self._vacate(seat)
        seat.start_at = now + delay
        self._fleet.restarts += 1

    def end_workers(self) -> None:
        """Drain: tell every worker to end, wait for it, and end those hard that take too long."""
        self._fleet.draining = True
        self._send(SIGTERM)
        deadline = monotonic() + self._configuration.drain_seconds + LOG_CLOSE_SECONDS + 2 * END_GRACE_SECONDS
        for seat in self._fleet.seats:
            if seat.process is None:
                continue
            seat.process.join(max(0.0, deadline - monotonic()))
            if seat.process.exitcode is None:
                _LOGGER.error("a worker did not end in time", extra={"facts": {"pid": seat.process.pid}})
                seat.process.kill()
                seat.process.join()
            self._vacate(seat)

    def _vacate(self, seat: _Seat) -> None:
        if seat.connection is not None:
            seat.connection.close()
        if seat.process is not None:
            seat.process.close()
        seat.process = seat.connection = seat.status = None

    def _send(self, number: Signals) -> None:
        for seat in self._fleet.seats:
            if seat.process is not None and seat.process.pid is not None and seat.process.exitcode is None:
                os.kill(seat.process.pid, number)

    def _connections(self) -> Iterator[Connection]:
        return (seat.connection for seat in self._fleet.seats if seat.connection is not None)

    def _patience(self, now: float) -> float:
        """Seconds until a worker is to be started again, at most those between two reports."""
        waits = [seat.start_at - now for seat in self._fleet.seats if seat.process is None]
        return max(0.0, min([REPORT_SECONDS, *waits]))
