"""Signals as bytes on a socket: a loop waits for them together with all else, and nothing runs inside a handler."""

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class SignalInbox:
    """SIGTERM, SIGINT and SIGHUP of this process while the `with` block runs. For the main thread only."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self._before: list[tuple[int, object]] = []

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        self._before = [(number, signal.signal(number, _noted)) for number in _HANDLED]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned, it takes
        signal.set_wakeup_fd(self._wakeup_before)
        self._read.close()
        self._write.close()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait` and `select`."""
        return self._read.fileno()

    def received(self, seconds: float | None = 0.0) -> tuple[signal.Signals, ...]:
        """The signals that came, waiting for at most `seconds` (None = until something comes)."""
        if not select.select([self._read], [], [], seconds)[0]:
            return ()
        return tuple(signal.Signals(number) for number in self._read.recv(4096) if number in _HANDLED)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """The number is already in the inbox: Python wrote it there before it calls this."""
