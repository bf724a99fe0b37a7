"""What the names of a request's headers say about forwarding it, whatever their values: worked out once for each list.

Clients send the same names again and again; so a request pays for its values only.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from gateway.proxy.errors import UnforwardableError
from gateway.proxy.limits import MAX_REMEMBERED_HEAD_BYTES, MAX_REMEMBERED_HEADS
from policies.engine.header_names import CONNECTION_HEADERS, ORIGIN_HEADERS
from policies.peer.cache import BoundedCache

RawHeaders = Sequence[tuple[bytes, bytes]]

#: RFC 9110 §7.6.1, with the upgrade to HTTP/2 that RFC 9113 has taken back.
OF_A_CONNECTION = frozenset(name.encode() for name in CONNECTION_HEADERS - {"content-length"}) | {b"http2-settings"}
#: They are written by us, from the connection.
_OF_A_HOP = frozenset(name.encode() for name in ORIGIN_HEADERS)
_NAME = itemgetter(0)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: Bytes in memory that a remembered name takes beside its own, about.
_NAME_BYTES = 150


@dataclass(frozen=True, slots=True)
class RequestHead:
    """Positions of headers. `kept`: those that go on, unless a Connection header lists them."""

    kept: tuple[int, ...]
    hosts: tuple[int, ...]
    lengths: tuple[int, ...]
    codings: tuple[int, ...]
    connections: tuple[int, ...]


_HEADS: BoundedCache[tuple[bytes, ...], RequestHead] = BoundedCache(MAX_REMEMBERED_HEADS, MAX_REMEMBERED_HEAD_BYTES)


def request_head_from_raw(headers: RawHeaders) -> RequestHead:
    """The head of a request with these headers. Raises UnforwardableError for what is no name (RFC 9110 §5.6.2)."""
    names = tuple(map(_NAME, headers))
    head = _HEADS.get(names)
    if head is None:
        head = _request_head_from_names(names)
        _HEADS.put(names, head, sum(map(len, names)) + _NAME_BYTES * len(names))
    return head


def _request_head_from_names(names: tuple[bytes, ...]) -> RequestHead:
    if not all(map(_TOKEN.fullmatch, names)):
        raise UnforwardableError("the name of a header is none")
    folded = [name.lower() for name in names]
    dropped = OF_A_CONNECTION | _OF_A_HOP

    def places(wanted: bytes) -> tuple[int, ...]:
        return tuple(at for at, name in enumerate(folded) if name == wanted)

    return RequestHead(
        tuple(at for at, name in enumerate(folded) if name not in dropped),
        places(b"host"),
        places(b"content-length"),
        places(b"transfer-encoding"),
        places(b"connection"),
    )
