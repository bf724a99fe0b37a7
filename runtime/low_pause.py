"""Loading a large policy beside requests without holding them up.

Four things of CPython make other threads wait for one that builds a million objects: they ask for the interpreter only
every 5 ms; the cycle collector walks everything that was built so far, again and again; later it walks the finished
policy; and freeing the policy before is one single step. So the interpreter changes hands often and the collector rests
while a policy is loaded, what is then alive is set aside (`gc.freeze`), and the old policy is taken apart in pieces.

The settings belong to the whole process: loads that overlap share one pause, and what is restored is what was found.
"""

import contextlib
import gc
import sys
from collections.abc import Iterator
from threading import Lock

from runtime.limits import LOAD_SWITCH_SECONDS, MAX_FROZEN_GARBAGE


class LowPause:
    """The state of the interpreter's settings, shared by all loads of the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loads = 0
        self._collector_was_on = False
        self._switch_seconds = 0.0
        self._frozen_without_garbage = 0
        self._just_collected = False

    @contextlib.contextmanager
    def during_load(self) -> Iterator[None]:
        """Keep the pauses of other threads short until the block ends."""
        with self._lock:
            self._loads += 1
            if self._loads == 1:
                self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._loads -= 1
                if not self._loads:
                    self._end()

    def set_aside(self) -> None:
        """Take all that is alive out of the collector's sight. Call it inside `during_load`, the old policy released.

        Garbage in cycles that is frozen along is never collected. So when much more is still frozen from before than
        there was after the last full collection, everything is thawed and collected: a pause, but a rare one. The
        first time it is collected too: nobody is served yet, and how much is no garbage is known from then on.
        """
        with self._lock:
            frozen = gc.get_freeze_count()
            if self._just_collected:
                self._frozen_without_garbage = frozen
            self._just_collected = not frozen or frozen > self._frozen_without_garbage + MAX_FROZEN_GARBAGE
            if self._just_collected:
                gc.unfreeze()
                gc.collect()
            gc.freeze()

    def _begin(self) -> None:
        self._collector_was_on = gc.isenabled()
        self._switch_seconds = sys.getswitchinterval()
        gc.disable()
        sys.setswitchinterval(min(LOAD_SWITCH_SECONDS, self._switch_seconds))

    def _end(self) -> None:
        sys.setswitchinterval(self._switch_seconds)
        if self._collector_was_on:
            gc.enable()


def release(garbage: list[object]) -> None:
    """Empty `garbage`, and take apart what nobody else holds, object by object: other threads run in between."""
    while garbage:
        item = garbage.pop()
        if sys.getrefcount(item) == _SOLE_OWNER:
            garbage.extend(gc.get_referents(item))


def _references_of_sole_owner() -> int:
    """What `sys.getrefcount` says of an object that only one local variable holds; this differs between Pythons."""
    items = [object()]
    item = items.pop()
    return sys.getrefcount(item)


_SOLE_OWNER = _references_of_sole_owner()

#: The one of this process.
LOW_PAUSE = LowPause()
