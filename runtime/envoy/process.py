"""One Envoy as a child process.

It has its whole configuration in one file, serves before it is handed out, and ends with the process that started it,
however that one ends.
"""

import json
import re
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from runtime.address import Address, TcpAddress
from runtime.ending import end_child
from runtime.envoy.admin import Admin
from runtime.envoy.bootstrap import LISTENER, EnvoySettings, bootstrap_from_settings
from runtime.envoy.errors import EnvoyFailedError
from runtime.envoy.proto_json import Json
from runtime.envoy.tether import tied

#: Seconds until a new Envoy must serve, and between two looks.
START_SECONDS = 20.0
#: Seconds for a listener of an Envoy that serves.
LISTENER_SECONDS = 1.0
POLL_SECONDS = 0.02
#: Seconds without a request after which a drain is over: clients that were answered before it began may send one more.
QUIET_SECONDS = 0.25
#: Seconds that open requests get at the end before Envoy is killed.
STOP_SECONDS = 5.0
#: Milliseconds after which a line of an access log is in its file (Envoy: 10 000).
LOG_FLUSH_MILLISECONDS = 200

_SAID = "envoy.stderr"
_COMPLAINT = re.compile(r"\[(?:critical|error)]\[[^]]*] (?:\[[^]]*] )?(.*)")


class EnvoyProcess:
    """A running Envoy. A context manager that stops it."""

    def __init__(self, process: subprocess.Popen[bytes], admin: Admin, log: Path) -> None:
        self._process = process
        self.admin = admin
        self.log = log

    @classmethod
    def start(cls, binary: Path, settings: EnvoySettings, folder: Path, *, concurrency: int = 1) -> Self:
        """Start Envoy and wait until it serves. Its configuration and log go to `folder`. Raises EnvoyFailedError."""
        return cls.run(binary, bootstrap_from_settings(settings), settings.admin, folder, concurrency=concurrency)

    @classmethod
    def run(cls, binary: Path, bootstrap: Json, admin: Address, folder: Path, *, concurrency: int = 1) -> Self:
        """As `start`, with a whole configuration, whose admin interface is at `admin`."""
        configuration = folder / "envoy.json"
        configuration.write_text(json.dumps(bootstrap, indent=1), encoding="utf-8")
        log = folder / "envoy.log"
        log.unlink(missing_ok=True)  # Envoy would append to that of another one
        arguments = [
            *("--config-path", str(configuration)),
            *("--concurrency", str(concurrency)),
            *("--log-level", "warning"),
            *("--log-path", str(log)),
            *("--file-flush-interval-msec", str(LOG_FLUSH_MILLISECONDS)),
            "--disable-hot-restart",
            "--reject-unknown-dynamic-fields",
        ]
        # What is said before there is a log, as of a library that is missing.
        with (folder / _SAID).open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - a binary that this process found, no shell, no outside words
                tied(str(binary), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                # Ctrl-C of a terminal goes to its whole group: it is for peergate, which drains Envoy before ending it.
                process_group=0,
            )
        started = cls(process, Admin(admin), log)
        try:
            started._wait_until_ready()
        except BaseException:
            started.stop()
            raise
        return started

    @property
    def pid(self) -> int:
        """The process id of Envoy itself."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """As of `subprocess.Popen`: negative for a signal, None while it runs."""
        return self._process.poll()

    def wait_for_listener(self) -> None:
        """Return when Envoy listens: it serves without, where it refuses what it discovers. Raises EnvoyFailedError."""
        began = time.monotonic()
        while time.monotonic() - began < LISTENER_SECONDS:
            try:
                self.admin.listener_address(LISTENER)
            except (LookupError, OSError):
                time.sleep(POLL_SECONDS)
            else:
                return
        raise EnvoyFailedError(f"Envoy does not listen: {self._complaint()}")

    def drain(self, seconds: float) -> None:
        """Close the listeners, and give open requests `seconds` to end. Does nothing if Envoy has ended."""
        deadline = time.monotonic() + seconds
        try:
            self.admin.drain()
            quiet_since = time.monotonic()
            while self.is_running and (now := time.monotonic()) < deadline and now - quiet_since < QUIET_SECONDS:
                time.sleep(POLL_SECONDS)
                if self.admin.open_requests():
                    quiet_since = time.monotonic()
        except OSError:
            pass  # it has ended

    @property
    def address(self) -> TcpAddress:
        """Where Envoy listens for clients."""
        return self.admin.listener_address(LISTENER)

    def stop(self) -> None:
        """End Envoy: politely, then by force. Does nothing if it has ended."""
        end_child(self._process, STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        for _ in range(round(START_SECONDS / POLL_SECONDS)):
            if (code := self._process.poll()) is not None:
                raise EnvoyFailedError(f"Envoy ended at once (exit {code}): {self._complaint()}")
            try:
                if self.admin.is_ready():
                    return
            except OSError:
                pass  # not listening yet
            time.sleep(POLL_SECONDS)
        raise EnvoyFailedError(f"Envoy does not serve after {START_SECONDS:g} s: {self._complaint()}")

    def _complaint(self) -> str:
        """The first thing that Envoy complained of, or the last that it said, in one line."""
        texts = [_text_of(path) for path in (self.log, self.log.with_name(_SAID))]
        if found := _COMPLAINT.search(texts[0]):
            return found[1]
        lines = [line for text in texts for line in text.splitlines() if line.strip()]
        return lines[-1].strip() if lines else "it said nothing"


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
