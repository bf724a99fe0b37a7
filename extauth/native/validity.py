"""Dates, lengths and presence of headers, on every request (law 9).

Dates are compared by a regular expression (`extauth.native.dates`). CEL, which costs more, is for what only it can say.
Envoy takes it as a parsed tree. Filter state is bytes there and cannot become a number, so lifetimes are worked out
from request headers of our own, which are written over whatever was received and removed again.
"""

import math
from collections.abc import Iterable, Sequence

from extauth.native.dates import in_date
from extauth.native.limits import MAX_PATH_CHARS
from extauth.native.matcher import FACTS, fits, state_input
from policies.peer.limits import MAX_SPIFFE_ID_BYTES
from runtime.envoy.proto_json import Json, JsonValue, typed
from runtime.identity_headers import SPIFFE_ID

#: Private headers: notAfter and notBefore of the leaf, seconds since the epoch. They are there for lifetimes alone.
NOT_AFTER, NOT_BEFORE = "x-peergate-not-after", "x-peergate-not-before"


def validity(until: float) -> Json:
    """A predicate: the leaf is in date, and `until` (epoch seconds) has not passed. Not if its date cannot be read."""
    return fits(state_input(FACTS), rf"(?s:{in_date(until)} .*)")


def short_lived(max_lifetime: float) -> Json:
    """A predicate: the leaf lives for `max_lifetime` (seconds) or less. Not if its dates cannot be read."""
    tree = _Tree()
    lifetime = tree.call("_-_", tree.number(tree.header(NOT_AFTER)), tree.number(tree.header(NOT_BEFORE)))
    return _holds("lifetime", tree.call("_<=_", lifetime, tree.integer(math.floor(max_lifetime))))


def short_path() -> Json:
    """A predicate: the path, without the query, is not too long to judge."""
    tree = _Tree()
    return _short(tree, tree.field(tree.name("request"), "url_path"), MAX_PATH_CHARS)


def short_spiffe_id() -> Json:
    """A predicate: the SPIFFE ID, of ASCII only, is not too long to be one."""
    tree = _Tree()
    return _short(tree, tree.header(SPIFFE_ID), MAX_SPIFFE_ID_BYTES)


def _short(tree: "_Tree", text: Json, limit: int) -> Json:
    return _holds("short", tree.call("_<=_", tree.call("size", text), tree.integer(limit)))


def carries_one_of(names: Iterable[str]) -> Json:
    """A predicate: the request carries a header of one of these names (lower case, at least one)."""
    tree = _Tree()
    present = [tree.call("@in", tree.text(name), tree.field(tree.name("request"), "headers")) for name in names]
    return _holds("headers", tree.joined("_||_", present))


def _holds(name: str, expression: Json) -> Json:
    return {
        "single_predicate": {
            "input": typed("request", "xds.type.matcher.v3.HttpAttributesCelMatchInput"),
            "custom_match": typed(
                name, "xds.type.matcher.v3.CelMatcher", expr_match={"cel_expr_parsed": {"expr": expression}}
            ),
        }
    }


class _Tree:
    """Makes nodes of `cel.expr.Expr` with ids of their own."""

    def __init__(self) -> None:
        self._last = 0

    def name(self, name: str) -> Json:
        return self._node("ident_expr", {"name": name})

    def field(self, operand: Json, field: str) -> Json:
        return self._node("select_expr", {"operand": operand, "field": field})

    def header(self, name: str) -> Json:
        headers = self.field(self.name("request"), "headers")
        return self.call("_[_]", headers, self.text(name))

    def text(self, value: str) -> Json:
        return self._node("const_expr", {"string_value": value})

    def joined(self, operator: str, conditions: Sequence[Json]) -> Json:
        """Halved again and again: Envoy refuses a message that is nested more than a hundred deep."""
        if len(conditions) == 1:
            return conditions[0]
        middle = len(conditions) // 2
        return self.call(
            operator, self.joined(operator, conditions[:middle]), self.joined(operator, conditions[middle:])
        )

    def number(self, operand: Json) -> Json:
        return self.call("int", operand)

    def integer(self, value: int) -> Json:
        return self._node("const_expr", {"int64_value": str(value)})

    def call(self, function: str, *arguments: Json) -> Json:
        return self._node("call_expr", {"function": function, "args": list(arguments)})

    def _node(self, kind: str, content: dict[str, JsonValue]) -> Json:
        self._last += 1
        return {"id": str(self._last), kind: content}
