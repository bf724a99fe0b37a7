"""Readable names for selectors and routes that their author gave none, and one line that says what each one is.

Compiled patterns are written as a policy writes them; `Reference` stays the name that it is.
"""

import base64
from collections.abc import Iterable

from policies.engine.pattern import SegmentPattern, Wild
from policies.engine.route import Alternative
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    DnsIs,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Not,
    Reference,
    Selector,
    SerialIn,
    TrustIs,
    Unauthenticated,
    UriIs,
)
from policies.peer.attribute import ATTRIBUTE_NAMES

#: Alternatives of a route, and parts of a selector, that are written out; the rest is counted.
_MAX_PARTS = 6


def selector_text(selector: Selector, *, top: bool = True) -> str:
    """What a caller must be, on one line. `top` is false within another selector, where an OR needs brackets."""
    match selector:
        case Anyone() | Authenticated() | Unauthenticated():
            return type(selector).__name__.lower()
        case Reference(name):
            return name
        case Not(part):
            return f"not {selector_text(part, top=False)}"
        case AllOf(parts):
            return _joined(" and ", (selector_text(part, top=False) for part in parts))
        case AnyOf(parts):
            text = _joined(" or ", (selector_text(part, top=False) for part in parts))
            return text if top or len(parts) == 1 else f"({text})"
        case _:
            return _field_text(selector)


def route_text(ways: Iterable[Alternative]) -> str:
    """Which requests are meant, on one line."""
    return _joined(" or ", dict.fromkeys(map(_way_text, ways)))


def _field_text(selector: Selector) -> str:
    match selector:
        case TrustIs(entries):
            return f"trust {', '.join(sorted(entries))}"
        case UriIs(pattern):
            return f"uri {_segments_text(pattern)}"
        case DnsIs(pattern_):
            return f"dns {pattern_}"
        case EmailIs(address):
            return f"email {address}"
        case IpSanIn(networks):
            return f"ip_san {_joined(', ', map(str, networks))}"
        case NameIs(of_issuer, name):
            return f"{'issuer' if of_issuer else 'subject'} {name.text}"
        case NameHas(of_issuer, oid, values):
            side = "issuer" if of_issuer else "subject"
            return f"{side} {ATTRIBUTE_NAMES.get(oid, oid)}={_joined('/', sorted(values))}"
        case DigestIn(True, digests):
            return f"pin {_joined(', ', (f'sha256:{base64.b64encode(d).decode()}' for d in sorted(digests)))}"
        case DigestIn(_, digests):
            return f"fingerprint {_joined(', ', (f'sha256:{digest.hex()}' for digest in sorted(digests)))}"
        case SerialIn(serials):
            return f"serial {_joined(', ', (f'{serial:x}' for serial in sorted(serials)))}"
    return type(selector).__name__


def _way_text(way: Alternative) -> str:
    methods = "gRPC" if way.grpc else "/".join(sorted(way.methods)) if way.methods else "any method"
    host = "any host" if way.host is None else str(way.host)
    path = "/**" if way.path is None else f"/{_segments_text(way.path)}"
    headers = "".join(f" {header.name}: {_joined('/', sorted(header.values))}" for header in way.headers)
    return f"{methods} {host}{path}{headers}" if way.host is not None else f"{methods} {path} on {host}{headers}"


def _segments_text(pattern: SegmentPattern) -> str:
    parts = [part if isinstance(part, str) else _wild_text(part) for part in pattern.segments]
    return "/".join([*parts, "**"] if pattern.rest else parts)


def _wild_text(part: Wild) -> str:
    return "*" if part.capture is None else f"{{{part.capture}}}"


def _joined(glue: str, parts: Iterable[str]) -> str:
    found = list(parts)
    rest = len(found) - _MAX_PARTS
    return glue.join(found if rest <= 0 else [*found[:_MAX_PARTS], f"{rest} more"])
