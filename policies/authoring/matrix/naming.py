"""Readable names for selectors and routes that their author gave none, and one line that says what each one is.

Compiled patterns are written as a policy writes them; `Reference` stays the name that it is.
"""

from collections.abc import Iterable

from policies.authoring.selector_words import field_text, in_words
from policies.engine.route import Alternative
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    Not,
    Reference,
    Selector,
    Unauthenticated,
)

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
            return in_words(" and ", (selector_text(part, top=False) for part in parts))
        case AnyOf(parts):
            text = in_words(" or ", (selector_text(part, top=False) for part in parts))
            return text if top or len(parts) == 1 else f"({text})"
        case _:
            return field_text(selector)


def route_text(ways: Iterable[Alternative]) -> str:
    """Which requests are meant, on one line."""
    return in_words(" or ", dict.fromkeys(map(_way_text, ways)))


def _way_text(way: Alternative) -> str:
    methods = "gRPC" if way.grpc else "/".join(sorted(way.methods)) if way.methods else "any method"
    host = "any host" if way.host is None else str(way.host)
    path = "/**" if way.path is None else f"/{way.path}"
    headers = "".join(f" {header.name}: {in_words('/', sorted(header.values))}" for header in way.headers)
    return f"{methods} {host}{path}{headers}" if way.host is not None else f"{methods} {path} on {host}{headers}"
