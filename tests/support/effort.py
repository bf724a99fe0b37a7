"""What a piece of work costs, whatever else the machine and the test run do."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails if the block takes more CPU seconds of this thread.

    The collector rests meanwhile: one full pass over what thousands of tests have left costs half a second.
    """
    collecting = gc.isenabled()
    gc.disable()
    started = time.thread_time()
    try:
        yield
    finally:
        spent = time.thread_time() - started
        if collecting:
            gc.enable()
    assert spent < seconds, f"{spent:.2f} s of CPU, where less than {seconds} s are wanted"
