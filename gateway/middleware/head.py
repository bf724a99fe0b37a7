"""What the names of a request's headers say, whatever their values: worked out once for each set of names.

Clients send the same names again and again, with other values. So a request pays for the values that are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.middleware.limits import MAX_REMEMBERED_HEAD_BYTES, MAX_REMEMBERED_HEADS
from policies.peer.cache import BoundedCache
from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS
from runtime.raw_headers import Headers

RawHeaders = Sequence[tuple[bytes, bytes]]

#: Bytes in memory that a remembered name takes beside its own, about.
_NAME_BYTES = 150


@dataclass(frozen=True, slots=True)
class Head:
    """`names`: all, lower case, in order of receipt. `read`: those that are read, each with its position."""

    names: tuple[str, ...]
    read: tuple[tuple[str, int], ...]

    def found(self, headers: RawHeaders) -> Headers:
        """The values of those that are read, from the headers that this is the head of."""
        found: dict[str, tuple[str, ...]] = {}
        for name, position in self.read:
            value = headers[position][1].decode("utf-8", "surrogateescape")
            found[name] = (*found[name], value) if name in found else (value,)
        return found


_HEADS: BoundedCache[tuple[tuple[bytes, ...], frozenset[str]], Head] = BoundedCache(
    MAX_REMEMBERED_HEADS, MAX_REMEMBERED_HEAD_BYTES
)


def head_from_raw(headers: RawHeaders, wanted: frozenset[str]) -> Head:
    """`wanted`: the names to read, lower case. Raises MalformedQuestionError if there are more than MAX_HEADERS."""
    raw = tuple([name for name, _ in headers])
    head = _HEADS.get((raw, wanted))
    if head is None:
        if len(raw) > MAX_HEADERS:
            raise MalformedQuestionError(f"the request has more than {MAX_HEADERS} headers")
        names = tuple([name.decode("latin-1").lower() for name in raw])
        head = Head(names, tuple([(name, position) for position, name in enumerate(names) if name in wanted]))
        _HEADS.put((raw, wanted), head, sum(map(len, raw)) + _NAME_BYTES * len(raw))
    return head
