"""What the names of a request's headers say, whatever their values: worked out once for each set of names.

Clients send the same names again and again, with other values. So a request pays for the values that are read.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.middleware.limits import MAX_REMEMBERED_HEAD_BYTES, MAX_REMEMBERED_HEADS
from policies.engine.request import EMPTY_HEADERS
from policies.peer.cache import BoundedCache
from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS
from runtime.raw_headers import Headers

RawHeaders = Sequence[tuple[bytes, bytes]]

#: Bytes in memory that a remembered name takes beside its own, about.
_NAME_BYTES = 150


class _Head(NamedTuple):
    """`names`: all, lower case, in order of receipt. `hosts`: positions of the Host headers.

    `read`: those that are read beside them, each with its position.
    """

    names: tuple[str, ...]
    hosts: tuple[int, ...]
    read: tuple[tuple[str, int], ...]


_HEADS: BoundedCache[tuple[tuple[bytes, ...], frozenset[str], frozenset[str]], _Head] = BoundedCache(
    MAX_REMEMBERED_HEADS, MAX_REMEMBERED_HEAD_BYTES
)


def read_headers(
    headers: RawHeaders, wanted: frozenset[str], always: frozenset[str]
) -> tuple[tuple[str, ...], str, Headers]:
    """The names of all, lower case; the values of Host, joined by commas; the values of those in `wanted` or `always`.

    Raises MalformedQuestionError if there are more than MAX_HEADERS, ValueError if one is no pair.
    """
    raw = tuple([name for name, _ in headers])
    head = _HEADS.get((raw, wanted, always))
    if head is None:
        head = _head_from_names(raw, wanted | always)
        _HEADS.put((raw, wanted, always), head, sum(map(len, raw)) + _NAME_BYTES * len(raw))
    names, hosts, read = head
    raw_host = headers[hosts[0]][1] if len(hosts) == 1 else b",".join([headers[position][1] for position in hosts])
    host = raw_host.decode("utf-8", "surrogateescape")
    if not read:
        return names, host, EMPTY_HEADERS
    found: dict[str, tuple[str, ...]] = {}
    for name, position in read:
        value = headers[position][1].decode("utf-8", "surrogateescape")
        found[name] = (*found[name], value) if name in found else (value,)
    return names, host, found


def _head_from_names(raw: tuple[bytes, ...], wanted: frozenset[str]) -> _Head:
    if len(raw) > MAX_HEADERS:
        raise MalformedQuestionError(f"the request has more than {MAX_HEADERS} headers")
    names = tuple([name.decode("latin-1").lower() for name in raw])
    hosts = tuple([position for position, name in enumerate(names) if name == "host"])
    return _Head(names, hosts, tuple([(name, position) for position, name in enumerate(names) if name in wanted]))
