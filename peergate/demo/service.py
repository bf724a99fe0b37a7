"""`peergate up` or `gateway serve` as a child process: the very command, ready when handed out."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from runtime.address import UnixAddress
from runtime.ending import end_child
from runtime.envoy.admin import UnixConnection
from runtime.envoy.tether import tied

#: Seconds for the service to answer, for a status to come about, and for the service to end.
START_SECONDS = 20.0
STATUS_SECONDS = 10.0
STOP_SECONDS = 8.0
_POLL_SECONDS = 0.02

Status = dict[str, Any]


class ServiceError(RuntimeError):
    """The service does not do what it was started for. The message is one line for people."""


class ServiceProcess:
    """A running service, a context manager that ends it. `command`: what is given the policy, as its last word."""

    adapter: ClassVar[str]
    command: ClassVar[tuple[str, ...]]

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._ops = UnixAddress(str(folder / "ops.sock"))
        self._log = folder / f"{self.adapter}.log"
        self.records = folder / "decisions.jsonl"

    @classmethod
    def serve(cls, policy: Path, folder: Path, *flags: str) -> Self:
        """Serve `policy`, with log and records in `folder`. Waits until it answers. Raises ServiceError."""
        arguments = [
            str(policy),
            *("--ops", f"unix:{folder / 'ops.sock'}"),
            *("--decision-log", str(folder / "decisions.jsonl")),
            *flags,
        ]
        with (folder / f"{cls.adapter}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - this very program, no shell
                tied(sys.executable, "-m", "peergate", *cls.command, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        started = cls(process, folder)
        try:
            started._wait_until_it_answers()
        except BaseException:
            started.stop()
            raise
        return started

    @property
    def pid(self) -> int:
        """The process that was started: the service itself, or the supervisor of its workers."""
        return self._process.pid

    def ready(self) -> tuple[bool, Status]:
        """What `/readyz` says: whether it answers 200, and the body. Raises OSError while nobody answers."""
        connection = UnixConnection(self._ops)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return answer.status == 200, json.loads(answer.read())
        finally:
            connection.close()

    def status(self) -> Status:
        """The body of `/readyz`. Raises OSError."""
        return self.ready()[1]

    def wait_for(self, wanted: Callable[[Status], bool]) -> Status:
        """Wait until the status is as wanted. Raises ServiceError if it does not become so."""
        began = time.monotonic()
        while time.monotonic() - began < STATUS_SECONDS:
            status = self.status()
            if wanted(status):
                return status
            time.sleep(_POLL_SECONDS)
        raise ServiceError(f"the service is still {status['state']} after {STATUS_SECONDS:g} s")

    def stop(self) -> None:
        """End it: politely, then by force. Does nothing if it has ended."""
        end_child(self._process, STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_it_answers(self) -> None:
        began = time.monotonic()
        while self._process.poll() is None and time.monotonic() - began < START_SECONDS:
            try:
                # Workers report later than their supervisor answers.
                if self.status()["state"] not in {"silent", "starting"}:
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(_POLL_SECONDS)
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ServiceError(f"peergate {self.adapter} does not start: {said[-1] if said else 'it said nothing'}")


class GatewayProcess(ServiceProcess):
    """The gateway."""

    adapter = "gateway"
    command = ("gateway", "serve", "--policy")


class UpProcess(ServiceProcess):
    """Envoy and peergate together."""

    adapter = "up"
    command = ("up",)
