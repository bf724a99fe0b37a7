"""The threads that answer gRPC calls: an executor that does no more than gRPC asks of one.

grpcio hands each call over with `submit`, and asks the future for one thing, to be told when the call is done. The
futures of the standard library can be waited for, cancelled and asked for results, which costs a tenth of a call.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

from extauth.limits import MAX_THREADS_ASIDE
from runtime.service_log import service_logger

_LOGGER = service_logger("extauth")


class Call:
    """One call under way. Of a future it has what gRPC uses: one callback, called once when the call is done."""

    __slots__ = ("_callbacks", "_done", "_work")

    def __init__(self, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._work: tuple[Callable[..., object], tuple[Any, ...]] | None = (work, arguments)
        self._callbacks: list[Callable[[Call], object]] = []
        self._done = False

    def add_done_callback(self, callback: Callable[["Call"], object]) -> None:
        """Call `callback` when the call is done; at once if it is."""
        self._callbacks.append(callback)
        if self._done:
            self._tell()

    def run(self) -> None:
        """Do the work. gRPC answers the caller of a handler that raises; nothing gets out of here."""
        if self._work is None:
            return
        work, arguments = self._work
        try:
            work(*arguments)
        except Exception:
            _LOGGER.exception("answering a call failed")
        finally:
            self._work = None
            # INVARIANT: whoever comes second, this or add_done_callback, finds the mark of the other.
            self._done = True
            self._tell()

    def _tell(self) -> None:
        try:
            # Two threads may be here, and `pop` gives the callback to one of them.
            callback = self._callbacks.pop()
        except IndexError:
            return
        callback(self)


class AnsweringThreads(Executor):
    """So many threads at work, beside those that wait.

    They end with the process, or by `shutdown` after what was submitted before.
    """

    def __init__(self, threads: int) -> None:
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = Lock()
        self._waiting = 0
        self._threads = [Thread(target=self._answer, name=f"check-{number}", daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., object], /, *args: Any, **kwargs: Any) -> Call:  # type: ignore[override]  # see Call
        """Have a thread call `fn(*args)`. `kwargs` are not taken: gRPC has none."""
        if kwargs:
            raise TypeError("a call has positional arguments only")
        call = Call(fn, args)
        self._calls.put(call)
        return call

    @contextmanager
    def aside(self) -> Iterator[bool]:
        """A block in which the calling thread waits, and another answers in its place; False if too many do."""
        if not self._step_aside():
            yield False
            return
        try:
            yield True
        finally:
            with self._lock:
                self._waiting -= 1
            # One of the threads ends, whichever comes to it.
            self._calls.put(None)

    def _step_aside(self) -> bool:
        with self._lock:
            if self._waiting >= MAX_THREADS_ASIDE:
                return False
            # Within the lock, and counted only then: a system that has no more threads leaves all as it was.
            Thread(target=self._answer, name="check-aside", daemon=True).start()
            self._waiting += 1
            return True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads; with `wait`, when what was submitted is done. Nothing is cancelled."""
        for _ in self._threads:
            self._calls.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _answer(self) -> None:
        while (call := self._calls.get()) is not None:
            call.run()
            # Of a call that is done nothing may be held while waiting for the next.
            del call
