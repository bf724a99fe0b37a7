"""Waiting for a change in some folders: by the events of the system, and by the clock where it sends none.

Nothing here says *what* changed. Who waits looks for himself, after every event and every sweep, so a lost event costs
a second and never a missed policy.
"""

from collections.abc import Iterator
from threading import Event

from watchfiles import watch

from runtime.service_log import service_logger

_LOGGER = service_logger("folder_watch")
_ENDED = object()


class FolderWatch:
    """Waits for events in folders (not below them). Used by one thread."""

    def __init__(self, wake: Event, *, force_polling: bool | None = None) -> None:
        """`wake` ends every wait at once; the caller clears it. `force_polling`: as in watchfiles."""
        self._wake = wake
        self._force_polling = force_polling
        self._folders: tuple[str, ...] = ()
        self._events: Iterator[object] | None = None
        self._said_blind = False

    def wait(self, folders: tuple[str, ...], seconds: float) -> None:
        """Return after an event in one of `folders`, when `wake` is set, or after about `seconds`."""
        if self._events is None or folders != self._folders:
            self.close()
            self._folders = folders
            self._events = self._watched(folders, seconds)
        try:
            if next(self._events, _ENDED) is _ENDED:
                self._events = None
        except (OSError, RuntimeError) as error:
            # A folder vanished, or the system has no watches left: the clock alone tells then.
            self._say_blind(error)
            self._events = None
            self._wake.wait(seconds)

    def close(self) -> None:
        """Let go of the system's watches."""
        self._events = None
        self._folders = ()

    def _watched(self, folders: tuple[str, ...], seconds: float) -> Iterator[object]:
        return watch(
            *folders,
            watch_filter=None,
            debounce=200,
            step=50,
            stop_event=self._wake,
            rust_timeout=int(seconds * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=self._force_polling,
            recursive=False,
        )

    def _say_blind(self, error: Exception) -> None:
        if not self._said_blind:
            self._said_blind = True
            _LOGGER.warning(
                "no events for policy folders, looking by the clock", extra={"facts": {"error": str(error)}}
            )
