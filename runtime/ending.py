"""A process that was told to end does end, even where something hangs."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from threading import Timer

from runtime.service_log import service_logger

_LOGGER = service_logger("service")
_HARD_END = 1


def end_child(process: subprocess.Popen[bytes], seconds: float) -> None:
    """End a child process: politely, and by force after `seconds`. Does nothing if it has ended."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def hard_end_after(seconds: float) -> Iterator[None]:
    """End the process with exit code 1 if the block takes longer than `seconds`."""
    timer = Timer(seconds, _end, [seconds])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end(seconds: float) -> None:
    _LOGGER.error("not ended in time, ending hard", extra={"facts": {"seconds": seconds}})
    os._exit(_HARD_END)
