"""One JSON line from anywhere -> one object of plain values, or a `LineError`; nothing else ever comes out.

JSON leaves open what a repeated key, `NaN`, or a number of a million digits mean. Here they are errors.
"""

import json
from math import isfinite
from typing import Never

from policies.authoring.limits import MAX_LINE_BYTES, MAX_LINE_NUMBER_CHARS


class LineError(ValueError):
    """A line that cannot be read as a request; the message says why."""


def object_from_line(line: bytes) -> dict[str, object]:
    """The JSON object on `line`, a line break at its end allowed. Raises LineError."""
    if len(line) > MAX_LINE_BYTES:
        raise LineError(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LineError(f"byte {error.start + 1} of the line is not UTF-8") from None
    if not text.strip():
        raise LineError("the line is empty")
    try:
        found = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise LineError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise LineError("lists and objects are nested too deep") from None
    if not isinstance(found, dict):
        raise LineError("not a JSON object")
    return found


def _object_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add() is the way to remember
        raise LineError(f"the key {shown(twice)} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_LINE_NUMBER_CHARS:
        raise LineError(f"a number has more than {MAX_LINE_NUMBER_CHARS} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_LINE_NUMBER_CHARS else float("inf")
    if not isfinite(number):
        raise LineError(f"a number is too large or has more than {MAX_LINE_NUMBER_CHARS} digits")
    return number


def _no_constant(word: str) -> Never:
    raise LineError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_once, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant
)


def shown(text: str) -> str:
    """`text` in a message: quoted, escaped, and cut where it is long."""
    return ascii(text if len(text) <= 60 else text[:59] + "…")
