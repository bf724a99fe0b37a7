"""What one request is, as an enforcement point saw it. Equal facts make equal requests, whatever proxy they came by."""

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple

from policies.peer.presented import Presented


class Unreported(Enum):
    """A fact that this enforcement point cannot know."""

    UNREPORTED = "unreported"


UNREPORTED: Final = Unreported.UNREPORTED
EMPTY_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {}


class Request(NamedTuple):
    """Raw facts of one request; `evaluate` makes them canonical or refuses them.

    - `method`: as received, case kept.
    - `target`: the request target as received, query included: origin-form, or absolute-form where the server saw it.
    - `host`: Host or :authority as received; where several were received, all of them joined with a comma, which no
      host may contain, so that more than one is never valid. Empty if there was none.
    - `headers`: the headers that some condition of the policy names (`PolicySet.condition_headers`) and `content-type`:
      lower-case name -> values in order of receipt, text decoded as UTF-8 with `surrogateescape`. A name that was not
      received is not a key.
    - `seen_headers`: the names this enforcement point is shown, None = all. A name outside is unknown, not absent.
    - `source_ip`: the transport peer (or the right-most untrusted X-Forwarded-For address behind a trusted hop);
      IPv4-mapped IPv6 already IPv4; None = unknown.
    - `sni`: as sent; None = the client sent none; UNREPORTED = the enforcement point does not say.
    - `time`: seconds since the epoch, UTC, at which the request is judged.
    """

    peer: Presented
    method: str
    target: str
    host: str
    headers: Mapping[str, tuple[str, ...]]
    seen_headers: frozenset[str] | None
    source_ip: IPv4Address | IPv6Address | None
    sni: str | Unreported | None
    time: float
