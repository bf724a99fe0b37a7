"""Whether a date has passed, told by a regular expression: in CEL the same takes Envoy several times as long.

A request notes the time twice: as it is usually written, which is compared to a deadline; and field by field beside the
end of its certificate, the least significant field first, `SSssMMmm…YYYYyyyy`. The earlier of these two has less in the
last field in which they differ. Years are 2000 to 2099: a later time is before no end.

Envoy reads the clock once for each field. As seconds come first, a minute that ends in between makes the time that is
written later than it was, never earlier.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

#: How Envoy's formatters (`absl::FormatTime`) write the fields.
_FORMATS = ("%S", "%M", "%H", "%d", "%m", "%E4Y")
#: The last value of each field but the year.
_LAST = (59, 59, 23, 31, 12)
_CENTURY = "20"


class _Field(NamedTuple):
    """Both texts of one field, where the first is `less`, and where it is the `same`."""

    less: str
    same: str


def formats_of_end() -> tuple[str, ...]:
    """Formatters of what a connection notes of its leaf's notAfter, one for each field."""
    return tuple(f"%DOWNSTREAM_PEER_CERT_V_END({written})%" for written in _FORMATS)


def format_of_dates(noted: Sequence[str]) -> str:
    """The formatter of a request's dates; what its connection has `noted`: keys of filter state."""
    pairs = zip(_FORMATS, noted, strict=True)
    beside = "".join(f"%EMIT_TIME({written})%%FILTER_STATE({key}:PLAIN)%" for written, key in pairs)
    return f"%EMIT_TIME({''.join(reversed(_FORMATS))})% {beside}"


def in_date(until: float) -> str:
    """A regular expression: the second that has begun is before that of `until` (epoch seconds), and of the end."""
    return f"(?:{_before(until)}) (?:{_before_the_end()})"


def _before(time: float) -> str:
    if time == math.inf:
        return "[0-9]+"
    digits = datetime.fromtimestamp(math.floor(max(time, 0.0)), UTC).strftime("%Y%m%d%H%M%S")
    return "|".join(f"{digits[:place]}[0-{int(digit) - 1}][0-9]*" for place, digit in enumerate(digits) if digit != "0")


def _before_the_end() -> str:
    fields = [_Field(_less(last), _same(last)) for last in _LAST]
    later_century = f"{_CENTURY}[0-9]{{2}}(?:2[1-9]|[3-9][0-9])[0-9]{{2}}"
    years = _Field(f"{_less(99, _CENTURY)}|{later_century}", _same(99, _CENTURY))
    earlier = fields[0].less
    for number, field in enumerate([*fields[1:], years], 1):
        earlier = f"[0-9]{{{4 * number}}}(?:{field.less})|(?:{earlier})(?:{field.same})"
    return earlier


def _less(last: int, century: str = "") -> str:
    """Two digits, up to `last`, that are less than the two digits after them."""
    ways = [f"{century}{ten}[0-9]{century}[{ten + 1}-9][0-9]" for ten in range(last // 10)]
    values = (divmod(value, 10) for value in range(last + 1))
    ways += [f"{century}{ten}{one}{century}{ten}[{one + 1}-9]" for ten, one in values if one < 9]
    return "|".join(ways)


def _same(last: int, century: str = "") -> str:
    return "|".join(f"{century}{value:02}" * 2 for value in range(last + 1))
