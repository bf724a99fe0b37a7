"""Dates and presence of headers, on every request: CEL expressions that Envoy evaluates (law 9).

Envoy takes CEL as a parsed tree. Filter state is bytes there and cannot become a number, so the dates of the leaf come
as request headers of our own, which are written over whatever was received and removed again.
"""

import math
from collections.abc import Iterable, Sequence

from extauth.native.admission import EntryAdmission
from extauth.native.limits import MAX_PATH_CHARS
from policies.peer.limits import MAX_SPIFFE_ID_BYTES
from runtime.envoy.proto_json import Json, JsonValue, typed
from runtime.identity_headers import SPIFFE_ID

#: Private headers: notAfter and notBefore of the leaf, seconds since the epoch.
NOT_AFTER, NOT_BEFORE = "x-peergate-not-after", "x-peergate-not-before"
#: Another one: milliseconds since the epoch when the last header was there. `request.time` is when the first byte was,
#: and whoever sends slowly may choose how long ago that is.
NOW = "x-peergate-now"
_MILLISECONDS = 1000


def validity(admission: EntryAdmission) -> Json:
    """A predicate: the leaf is in date, no deadline of its entry has passed, and path and SPIFFE ID are not too long.

    Where a date cannot be read, it does not hold.
    """
    tree = _Tree()
    not_after = tree.call("_*_", tree.number(tree.header(NOT_AFTER)), tree.integer(_MILLISECONDS))
    conditions = [tree.call("_<=_", tree.number(tree.header(NOW)), not_after), _short_path(tree)]
    if admission.trust_domain is not None:
        # Only ASCII is admitted: characters are bytes.
        length = tree.call("size", tree.header(SPIFFE_ID))
        conditions.append(tree.call("_<=_", length, tree.integer(MAX_SPIFFE_ID_BYTES)))
    if admission.until < math.inf:
        # A deadline that lies before all times has passed, too.
        until = tree.integer(math.floor(max(admission.until, 0.0)) * _MILLISECONDS)
        conditions.append(tree.call("_<=_", tree.number(tree.header(NOW)), until))
    if admission.max_lifetime is not None:
        lifetime = tree.call("_-_", tree.number(tree.header(NOT_AFTER)), tree.number(tree.header(NOT_BEFORE)))
        conditions.append(tree.call("_<=_", lifetime, tree.integer(math.floor(admission.max_lifetime))))
    return _holds("validity", tree.joined("_&&_", conditions))


def short_path() -> Json:
    """A predicate: the path is not too long to judge."""
    return _holds("short", _short_path(_Tree()))


def _short_path(tree: "_Tree") -> Json:
    return tree.call("_<=_", tree.call("size", tree.field(tree.name("request"), "path")), tree.integer(MAX_PATH_CHARS))


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
