"""Headers as a server received them, bytes -> text: the names of all, the values of those that are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from runtime.errors import MalformedQuestionError
from runtime.limits import MAX_HEADERS

#: Name in lower case -> values in order of receipt, UTF-8 with `surrogateescape`.
Headers = Mapping[str, tuple[str, ...]]


def text_from_raw(value: bytes) -> str:
    """A value as text: what is not UTF-8 stays recognisable as such."""
    return value.decode("utf-8", "surrogateescape")


def headers_from_raw(
    headers: Sequence[tuple[bytes, bytes]],
    wanted: frozenset[str],
    text: Callable[[bytes], str] = text_from_raw,
) -> tuple[list[str], Headers]:
    """The names of all headers, lower case, and the values of the `wanted` ones, read by `text`.

    Raises MalformedQuestionError if there are more than MAX_HEADERS.
    """
    if len(headers) > MAX_HEADERS:
        raise MalformedQuestionError(f"the request has more than {MAX_HEADERS} headers")
    read = _names_by_bytes(wanted)
    names: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for raw_name, raw_value in headers:
        # Most servers write names in lower case, so others are looked up twice.
        name = read.get(raw_name) or read.get(raw_name.lower())
        if name is None:
            names.append(raw_name.decode("latin-1").lower())
            continue
        names.append(name)
        value = text(raw_value)
        found[name] = (*found[name], value) if name in found else (value,)
    return names, found


@lru_cache(maxsize=16)
def _names_by_bytes(names: Iterable[str]) -> dict[bytes, str]:
    return {name.encode("latin-1"): name for name in names}
