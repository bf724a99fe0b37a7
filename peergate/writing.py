"""Files of a policy that a command rewrites: only what is still as it was read, each in one step."""

from collections.abc import Mapping

from peergate.errors import ArgumentError
from runtime.files import read_regular_file, replace_regular_file


def rewrite(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    """Write every file of `after`. Nothing is written if one is not what it was (`before`). Raises ArgumentError."""
    for path in after:
        if _content(path, len(before[path])) != before[path]:
            raise ArgumentError(f"{path!r} was changed meanwhile; nothing was written, try again")
    written: list[str] = []
    for path, content in after.items():
        try:
            replace_regular_file(path, content)
        except OSError as error:
            so_far = f"written are {', '.join(written)}" if written else "nothing was written"
            raise ArgumentError(f"{path!r} cannot be written: {error.strerror or error}; {so_far}") from None
        written.append(path)


def _content(path: str, size: int) -> bytes | None:
    try:
        return read_regular_file(path, size)
    except OSError:
        return None
