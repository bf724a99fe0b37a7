"""Where decision records go: whole lines, appended, so that several processes can share one file.

A file is opened with O_APPEND and written with one call for many lines. What a full disk cut off is closed with a line
end, so that it spoils no other record. A pipe takes only 4 KiB as one: workers that share one hold a lock while they
write, which the kernel releases for a process that dies.
"""

import contextlib
import fcntl
import os
import select
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Protocol

_STDOUT = 1
_LINE_END = ord("\n")


class LogSink(Protocol):
    """Somewhere to write lines to."""

    def write(self, lines: Sequence[bytes]) -> int:
        """Write whole lines, each with its line end; how many of them arrived. Raises OSError if none can be tried."""
        ...

    def reopen(self) -> None:
        """Let go of a file that was renamed or removed. The next write opens it anew."""
        ...

    def close(self) -> None:
        """Let go of it for good."""
        ...


class FileSink:
    """A file, FIFO or device by its path. It is opened again when another file has taken its name (logrotate)."""

    def __init__(self, path: str, lock_path: str | None = None) -> None:
        """Open `path`. Raises OSError; a FIFO without a reader is refused instead of waited for."""
        self._path = path
        self._lines = _Lines(lock_path)
        self._descriptor: int | None = _open_for_append(path)

    def write(self, lines: Sequence[bytes]) -> int:
        """See LogSink."""
        if self._descriptor is not None and not self._is_still_there(self._descriptor):
            self.reopen()
        if self._descriptor is None:
            self._descriptor = _open_for_append(self._path)
        return self._lines.write(self._descriptor, lines)

    def reopen(self) -> None:
        """See LogSink."""
        self._lines.begin()
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def close(self) -> None:
        """See LogSink."""
        self.reopen()
        self._lines.close()

    def _is_still_there(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))  # noqa: PTH116 - text as configured
        except OSError:
            return False


class StandardOutput:
    """The standard output of the process."""

    def __init__(self, lock_path: str | None = None) -> None:
        self._lines = _Lines(lock_path)

    def write(self, lines: Sequence[bytes]) -> int:
        """See LogSink."""
        return self._lines.write(_STDOUT, lines)

    def reopen(self) -> None:
        """There is nothing to open again."""

    def close(self) -> None:
        """Standard output stays open: it is not ours."""
        self._lines.close()


class _Lines:
    """Writes whole lines to a descriptor."""

    def __init__(self, lock_path: str | None) -> None:
        self._torn = False
        self._lock = None if lock_path is None else os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, lines: Sequence[bytes]) -> int:
        data = memoryview(b"".join([b"\n", *lines] if self._torn else lines))
        written, was_torn = 0, self._torn
        with self._alone():
            try:
                while written < len(data):
                    written += _write_some(descriptor, data[written:])
            except OSError:
                arrived = _whole_lines(written - was_torn, lines)
                if not arrived:
                    raise
                return arrived
            finally:
                if written:
                    self._torn = data[written - 1] != _LINE_END
        return len(lines)

    def begin(self) -> None:
        """The next write goes to another file."""
        self._torn = False

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The other workers wait, as the kernel would mix what they write with ours."""
        if self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def _whole_lines(size: int, lines: Sequence[bytes]) -> int:
    """How many of `lines` the first `size` bytes hold whole."""
    ends = accumulate(len(line) for line in lines)
    return sum(end <= size for end in ends)


def _write_some(descriptor: int, data: memoryview) -> int:
    """Write what the sink takes now; a pipe that somebody made non-blocking is waited for."""
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            ready = select.poll()  # select.select takes no descriptor above 1023
            ready.register(descriptor, select.POLLOUT)
            ready.poll()


def _open_for_append(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o640)
    os.set_blocking(descriptor, True)
    return descriptor
