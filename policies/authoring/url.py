"""`METHOD URL` as people write requests, in policy tests and on the command line -> the raw facts of a request.

Nothing is decoded, normalised or repaired: what the engine refuses in a request must be refused here too.
"""

import re
from dataclasses import dataclass

from policies.language.wording import quoted

_URL = re.compile(r"https?://([^/?#]*)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `host` is None if only a path was written."""

    host: str | None
    path: str


def target_from_url(url: str) -> Target:
    """The target of `https://host/path` or `/path`. Raises ValueError."""
    if url.startswith("/"):
        return Target(None, url)
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{quoted(url)} is neither https://host/path nor /path")
    path = match[2] if match[2].startswith("/") else f"/{match[2]}"
    return Target(match[1], path)
