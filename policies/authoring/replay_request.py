"""The fields of a replayed line -> Request. A fact that a line leaves out is not guessed.

No `source_ip` is an unknown address, no `sni` one that nobody reported (`null` and `""`: the client sent none). A line
says all headers of its request, so one that it does not list was not sent; no `host` is a request without one.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address

from policies.authoring.address import address_from_text
from policies.authoring.json_line import LineError, shown
from policies.authoring.limits import MAX_LINE_HEADERS, MAX_TIME
from policies.authoring.replay_peer import PEER_FIELDS, PeerReader
from policies.engine.request import EMPTY_HEADERS, UNREPORTED, Request, Unreported
from policies.language.compiler.values import epoch_from_moment

REQUEST_FIELDS = frozenset({"method", "host", "path", "headers", "source_ip", "sni", "time", *PEER_FIELDS})
#: Fields of an earlier answer or of a label that a line may carry; they are no part of the request.
IGNORABLE_FIELDS = frozenset({"effect", "reason", "rules", "decision_id", "id", "name"})
_HOST_HEADERS = ("host", ":authority")


def request_from_fields(fields: Mapping[str, object], peers: PeerReader, clock: Callable[[], float]) -> Request:
    """The request that a line describes. Raises LineError."""
    headers = _headers(fields.get("headers"))
    return Request(
        peer=peers.presented(fields),
        method=_text(fields, "method"),
        target=_text(fields, "path"),
        host=_host(fields, headers),
        headers=headers,
        seen_headers=None,
        source_ip=_address(fields),
        sni=_sni(fields),
        time=clock() if fields.get("time") is None else _time(fields["time"]),
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if value is None:
        raise LineError(f"`{name}` is missing")
    return _checked_text(value, f"`{name}`")


def _checked_text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise LineError(f"{what} is not text")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise LineError(f"{what} has half a surrogate pair, which is no character")
    return value


def _host(fields: Mapping[str, object], headers: Mapping[str, tuple[str, ...]]) -> str:
    """The one host, or all that were said joined with a comma, which no host may contain (`Request.host`)."""
    said = [value for name in _HOST_HEADERS for value in headers.get(name, ())]
    if fields.get("host") is not None:
        said.append(_text(fields, "host"))
    repeated = any(len(headers.get(name, ())) > 1 for name in _HOST_HEADERS)
    return said[0] if len(set(said)) == 1 and not repeated else ",".join(said)


def _headers(value: object) -> Mapping[str, tuple[str, ...]]:
    if value is None:
        return EMPTY_HEADERS
    if not isinstance(value, dict):
        raise LineError("`headers` is not an object")
    found: dict[str, tuple[str, ...]] = {}
    for name, values in value.items():
        if not name or not name.isascii() or not name.isprintable():
            raise LineError(f"{shown(name)} is not a header name")
        listed = values if isinstance(values, list) else [values]
        found[name.lower()] = (*found.get(name.lower(), ()), *(_header_value(name, item) for item in listed))
    if sum(map(len, found.values())) > MAX_LINE_HEADERS:
        raise LineError(f"`headers` has more than {MAX_LINE_HEADERS} values")
    return {name: values for name, values in found.items() if values}


def _header_value(name: str, value: object) -> str:
    """A value; bytes that are not UTF-8 stand in it as Python's `surrogateescape` has them."""
    if not isinstance(value, str):
        raise LineError(f"the header {shown(name)} has a value that is not text")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LineError(f"the header {shown(name)} has half a surrogate pair, which is no character") from None
    return value


def _address(fields: Mapping[str, object]) -> IPv4Address | IPv6Address | None:
    if fields.get("source_ip") is None:
        return None
    text = _text(fields, "source_ip")
    try:
        return address_from_text(text)
    except ValueError as error:
        raise LineError(f"`source_ip` {shown(text)}: {error}") from None


def _sni(fields: Mapping[str, object]) -> str | Unreported | None:
    if "sni" not in fields:
        return UNREPORTED
    return None if fields["sni"] is None else _text(fields, "sni") or None


def _time(value: object) -> float:
    """Epoch seconds as a number, or RFC 3339 with an offset."""
    if isinstance(value, str):
        try:
            value = epoch_from_moment(value)
        except ValueError as error:
            raise LineError(f"`time`: {error}") from None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise LineError("`time` is neither a number of seconds nor text")
    if not 0 <= value < MAX_TIME:
        raise LineError("`time` is outside the years 1970 to 9998")
    return float(value)
