"""URLs that something is fetched from: those that a policy names, and those in certificates that it lets through.

Law: a URL in a certificate counts only under a prefix that the policy names. Both are compared as they are taken apart,
scheme, host, port and whole path segments; never as strings, where `http://ca` would let `http://ca.evil` through.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from policies.peer.limits import MAX_FETCH_URL_CHARS

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class FetchUrl:
    """An http or https URL. `host`: a name, or an address without brackets; `target`: path and query, never empty."""

    text: str
    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL. Raises ValueError with a sentence for its author."""
        if len(text) > MAX_FETCH_URL_CHARS:
            raise ValueError(f"a URL has at most {MAX_FETCH_URL_CHARS} characters")
        if not all("!" <= character <= "~" for character in text) or "\\" in text:
            raise ValueError("a URL is written in printable ASCII, without blanks and backslashes")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"not a URL: {error}") from error
        if parts.scheme not in _PORTS or not host or port == 0:
            raise ValueError("it is fetched over HTTP; write a URL that begins with http:// or https://")
        if "@" in parts.netloc or "#" in text:
            raise ValueError("a URL that is fetched has no user, no password and no fragment")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(text, parts.scheme, host, port or _PORTS[parts.scheme], target)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who answers: scheme, host and port."""
        return self.scheme, self.host, self.port


@dataclass(frozen=True, slots=True)
class UrlPrefix:
    """URLs of certificates that are let through: those of one origin whose path begins with these segments."""

    origin: tuple[str, str, int]
    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a prefix as written in a policy. Raises ValueError with a sentence for its author."""
        url = FetchUrl.parse(text)
        segments = _segments(url)
        if segments is None:
            raise ValueError("a prefix has no query, no `%`, no `.` or `..`, and no empty segment; leave them out")
        return cls(url.origin, segments)

    def covers(self, url: FetchUrl) -> bool:
        """Whether `url` lies under this prefix. One that servers may read in two ways lies under none."""
        segments = _segments(url)
        return segments is not None and url.origin == self.origin and segments[: len(self.segments)] == self.segments


def fetchable(texts: Iterable[str]) -> tuple[FetchUrl, ...]:
    """Those of the URLs in a certificate that something could be fetched from."""
    found = []
    for text in texts:
        try:
            found.append(FetchUrl.parse(text))
        except ValueError:
            continue
    return tuple(found)


def _segments(url: FetchUrl) -> tuple[str, ...] | None:
    """The segments of the path, a closing `/` left out; None for a path that can be read in more than one way."""
    if any(character in url.target for character in "?%;"):
        return None
    path = url.target[1:].removesuffix("/")
    segments = tuple(path.split("/")) if path else ()
    return None if any(segment in {"", ".", ".."} for segment in segments) else segments
