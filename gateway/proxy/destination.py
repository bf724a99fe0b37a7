"""What `--upstream [HOST[/PREFIX]=]URL` says: which requests go where, and who must answer there."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from policies.engine.errors import RequestError
from policies.engine.host import canonical_host
from policies.engine.path import Segments, path_segments
from policies.peer.errors import PeerError
from policies.peer.spiffe import SpiffeId
from runtime.errors import ConfigurationError

_DESTINATION = re.compile(r"(?:(?P<host>[^/=]*)(?P<prefix>/[^=]*)?=)?(?P<url>https?://[^\s]+)")
_HOST_AND_PORT = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_PIN = re.compile(r"sha256:[A-Za-z0-9+/]{43}=")
_HINT = "write [HOST[/PREFIX]=]http[s]://host[:port][#spiffe://… or #sha256:PIN]"


@dataclass(frozen=True, slots=True)
class Destination:
    """One endpoint, and what is sent to it.

    - `host`: canonical, None = every host that has no destination of its own. `prefix`: decoded path segments.
    - `peer`: who must answer over TLS: a SPIFFE ID, an SPKI pin (`sha256:` base64), or empty = the name in the URL.
    """

    host: str | None
    prefix: Segments
    secure: bool
    address: str
    port: int
    peer: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a value of `--upstream`. Raises ConfigurationError."""
        match = _DESTINATION.fullmatch(text)
        if match is None:
            meant = f"write http://{text}" if _HOST_AND_PORT.fullmatch(text) else _HINT
            raise ConfigurationError(f"{text!r} is no upstream; {meant}")
        try:
            url = urlsplit(match["url"])
            port = url.port
        except ValueError as error:
            raise ConfigurationError(f"{text!r}: {error}; {_HINT}") from None
        if not url.hostname or url.username is not None or url.query or url.path not in {"", "/"} or port == 0:
            raise ConfigurationError(
                f"{text!r}: an upstream is scheme, host and port; paths are forwarded as they are received; {_HINT}"
            )
        secure = url.scheme == "https"
        return cls(
            _host(match["host"], text),
            _prefix(match["prefix"], text),
            secure,
            url.hostname,
            port or (443 if secure else 80),
            _peer(url.fragment, text, secure=secure),
        )

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.secure else 'http'}://{address}:{self.port}"


def _host(text: str | None, whole: str) -> str | None:
    if not text:
        return None
    try:
        return canonical_host(text)
    except RequestError as error:
        raise ConfigurationError(f"{whole!r}: {error}; {_HINT}") from None


def _prefix(text: str | None, whole: str) -> Segments:
    if not text:
        return ()
    try:
        segments = path_segments(text)
    except RequestError as error:
        raise ConfigurationError(f"{whole!r}: {error}; {_HINT}") from None
    return segments[:-1] if segments[-1:] == ("",) else segments


def _peer(text: str, whole: str, *, secure: bool) -> str:
    if not text:
        return ""
    if not secure:
        raise ConfigurationError(f"{whole!r}: only https can prove who answers")
    if _PIN.fullmatch(text):
        return text
    try:
        return str(SpiffeId.parse(text))
    except PeerError as error:
        raise ConfigurationError(f"{whole!r}: {text!r} is neither a SPIFFE ID nor sha256:PIN: {error}") from None
