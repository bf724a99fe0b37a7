"""Servers as processes of their own, on cores of their own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import clock_gettime, monotonic, sleep

from runtime.ending import end_child
from runtime.envoy import tether

#: Seconds until a server must listen, and for which it may take to end.
START_SECONDS = 30.0
STOP_SECONDS = 10.0
#: Of a process's clocks, the one that counts what the scheduler gave it.
_SCHEDULED = 2


def cores() -> tuple[frozenset[int], frozenset[int]]:
    """The core of the servers, and the cores of the load generator: the same one on a machine that has but one."""
    first, *others = sorted(os.sched_getaffinity(0))
    return frozenset({first}), frozenset(others or {first})


@contextmanager
def on_cores(wanted: frozenset[int]) -> Iterator[None]:
    """Processes that are started inside run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def serving(arguments: Sequence[str], path: Path, wanted: frozenset[int]) -> Iterator[subprocess.Popen[bytes]]:
    """`python ARGUMENTS` until the block ends; entered when it listens on the Unix socket `path`."""
    log = path.with_suffix(".log")
    tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), sys.executable, *arguments]
    with log.open("wb") as output, on_cores(wanted):
        process = subprocess.Popen(tied, stdout=output, stderr=output)
    try:
        _wait_until_listening(process, path, log)
        yield process
    finally:
        end_child(process, STOP_SECONDS)


def processor_seconds(pid: int) -> float:
    """What a process and its threads have used so far: its clock of clock_getcpuclockid(3), as Linux numbers it."""
    return clock_gettime((~pid << 3) | _SCHEDULED)


def _wait_until_listening(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = monotonic() + START_SECONDS
    while monotonic() < deadline:
        if process.poll() is not None:
            raise OSError(f"a server ended at once: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(path))
            except OSError:
                sleep(0.05)
                continue
            return
    raise OSError(f"a server does not listen on {path} after {START_SECONDS:g} s")
