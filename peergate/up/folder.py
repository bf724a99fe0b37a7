"""The folder of one `up`: sockets, logs, and what Envoy reads, the key of the listener among it.

A process that is killed cannot remove its folder. The next one does: a folder is somebody's while it is locked.
"""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "peergate-up-"
#: Seconds in which whoever makes a folder has locked it.
YOUNG_SECONDS = 60.0


class RunFolder:
    """A new folder that nobody else may read. It is gone when the process ends, whether `remove` was called or not."""

    def __init__(self) -> None:
        """Raises OSError."""
        _remove_abandoned(Path(tempfile.gettempdir()), time.time())
        self._temporary = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._temporary.name)
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it. A second call does nothing."""
        self._temporary.cleanup()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _remove_abandoned(parent: Path, now: float) -> None:
    """Remove what processes of this user have left in `parent`. What cannot be removed stays."""
    with suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*"):
            with suppress(OSError), _lockable(folder, now):
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _lockable(folder: Path, now: float) -> Iterator[None]:
    """Raises OSError if the folder is somebody's, or may be."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or now - found.st_mtime < YOUNG_SECONDS or stat.S_IMODE(found.st_mode) != 0o700:
            raise PermissionError
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
