"""Files that a policy or an operator names: regular files only, never more than a limit, never waiting.

A FIFO would hang the reader, a device would never end: both are refused before one byte is read.
"""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


def read_regular_file(path: str, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; symbolic links are followed. Raises OSError."""
    with _opened(path) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise _too_large(path, limit)
        parts = []
        left = limit + 1
        while left > 0 and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    if left <= 0:
        raise _too_large(path, limit)
    return b"".join(parts)


def list_plain_files(path: str, limit: int) -> tuple[str, ...] | None:
    """The sorted names in a folder, dot-names skipped, sub-folders left out; None if it is no folder.

    Files that are not regular stay in the list, so that reading them says what is wrong. Raises OSError, also if there
    are more than `limit` entries.
    """
    try:
        with os.scandir(_checked(path)) as entries:
            names = []
            for seen, entry in enumerate(entries):
                if seen >= limit:
                    raise OSError(errno.EFBIG, f"the folder holds more than {limit} files", path)
                if not entry.name.startswith(".") and not entry.is_dir():
                    names.append(entry.name)
    except (NotADirectoryError, FileNotFoundError):
        return None
    return tuple(sorted(names))


def replace_regular_file(path: str, content: bytes) -> None:
    """Put `content` in place of a regular file in one step, so that nobody ever reads half of it. Raises OSError.

    Symbolic links stay and what they lead to is replaced; its permissions stay.
    """
    place = os.path.realpath(_checked(path))
    with _opened(place) as descriptor:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    fresh, name = tempfile.mkstemp(prefix=".peergate-", dir=Path(place).parent)
    try:
        with os.fdopen(fresh, "wb") as file:
            os.fchmod(fresh, mode)
            file.write(content)
            file.flush()
            os.fsync(fresh)
        Path(name).replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """A descriptor of a regular file, opened without waiting for a writer of a FIFO."""
    descriptor = os.open(_checked(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        yield descriptor
    finally:
        os.close(descriptor)


def _checked(path: str) -> str:
    """`path`, if the system can name it: a NUL or a lone surrogate is an OSError like any other wrong name."""
    try:
        if b"\0" in os.fsencode(path):
            raise OSError(errno.EINVAL, "the name holds a NUL", path.replace("\0", "\\0"))
    except UnicodeEncodeError as error:
        raise OSError(
            errno.EINVAL, "the name is not text", path.encode("ascii", "backslashreplace").decode()
        ) from error
    return path


def _too_large(path: str, limit: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than {limit} bytes", path)
