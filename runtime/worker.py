"""A worker process: serves, reports to its supervisor every second and after every change, and never outlives it."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread

from policies.peer.trust_memory import TrustMemory
from runtime.configuration import ServeConfiguration
from runtime.errors import ConfigurationError
from runtime.limits import REPORT_SECONDS
from runtime.live_policy import LivePolicy
from runtime.process_status import ProcessStatus
from runtime.service import FrontFactory, ServingProcess
from runtime.service_log import service_logger, start_service_log
from runtime.signals import SignalInbox

#: sysexits.h EX_CONFIG: the configuration is refused; starting again would not help.
EXIT_CONFIGURATION = 78

_LOGGER = service_logger("worker")


@dataclass(frozen=True, slots=True)
class WorkerRefused:
    """The last word of a worker that cannot serve with its configuration."""

    message: str


def run_worker(
    configuration: ServeConfiguration,
    factory: FrontFactory,
    supervisor: Connection,
    lock_path: str,
    memory: TrustMemory,
) -> None:
    """The main function of a worker process. `memory`: of what the workers before it have had in force."""
    start_service_log(configuration.log_format, configuration.log_level)
    line = _Line(supervisor)
    with SignalInbox() as inbox:
        try:
            process = ServingProcess(configuration, factory, share_port=True, lock_path=lock_path, memory=memory)
            try:
                changed = line.report(process.status)
                process.live.on_change(changed)
                process.live.on_change(partial(_remember, process.live, line))
                process.start()
                changed()
                _serve(process, inbox)
            finally:
                process.stop()
        except ConfigurationError as error:
            line.send(WorkerRefused(str(error)))
            sys.exit(EXIT_CONFIGURATION)


def _remember(live: LivePolicy, line: "_Line") -> None:
    """Have the supervisor know what is in force: it tells those that it starts later."""
    policy = live.current
    if policy is not None:
        line.send(policy.trust.memory)


def _serve(process: ServingProcess, inbox: SignalInbox) -> None:
    while True:
        received = inbox.received(None)
        if signal.SIGHUP in received:
            process.reload()
        # SIGINT is the supervisor's: a terminal sends it to the whole group.
        if signal.SIGTERM in received:
            return


class _Line:
    """The connection to the supervisor, who never says anything: its end is the supervisor's end."""

    def __init__(self, supervisor: Connection) -> None:
        self._supervisor = supervisor
        self._lock = Lock()

    def send(self, message: ProcessStatus | WorkerRefused | TrustMemory) -> None:
        """Send a message, if anybody is there."""
        try:
            with self._lock:
                self._supervisor.send(message)
        except OSError:
            return

    def report(self, status: Callable[[], ProcessStatus]) -> Callable[[], None]:
        """Report from now on, in threads; what is returned makes a report due at once."""
        due = Event()
        Thread(target=self._report, args=(status, due), name="report", daemon=True).start()
        Thread(target=self._outlive_not, name="supervisor-watch", daemon=True).start()
        return due.set

    def _report(self, status: Callable[[], ProcessStatus], due: Event) -> None:
        while True:
            due.clear()
            self.send(status())
            due.wait(REPORT_SECONDS)

    def _outlive_not(self) -> None:
        try:
            self._supervisor.recv()
        except (EOFError, OSError):
            _LOGGER.warning("the supervisor is gone, ending")
            os.kill(os.getpid(), signal.SIGTERM)
