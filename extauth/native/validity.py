"""Dates, on every request: a CEL expression that Envoy evaluates (law 9).

Envoy takes CEL as a parsed tree. Filter state is bytes there and cannot become a number, so the dates of the leaf come
as request headers of our own, which are written over whatever was received and removed again.
"""

import math

from extauth.native.admission import Admission
from extauth.native.limits import MAX_PATH_CHARS
from runtime.envoy.proto_json import Json, JsonValue, typed

#: Private headers: notAfter and notBefore of the leaf, seconds since the epoch.
NOT_AFTER, NOT_BEFORE = "x-peergate-not-after", "x-peergate-not-before"


def date_headers(admission: Admission) -> dict[str, str]:
    """The private headers that `validity` reads, with Envoy's format of their values."""
    headers = {NOT_AFTER: "%DOWNSTREAM_PEER_CERT_V_END(%s)%"}
    if admission.max_lifetime is not None:
        headers[NOT_BEFORE] = "%DOWNSTREAM_PEER_CERT_V_START(%s)%"
    return headers


def validity(admission: Admission) -> Json:
    """A predicate: the leaf is in date, no deadline of the policy has passed, and the path is not too long to judge.

    Where a date cannot be read, it does not hold.
    """
    tree = _Tree()
    now = tree.field(tree.name("request"), "time")
    not_after = tree.number(tree.header(NOT_AFTER))
    conditions = [
        tree.call("_<=_", now, tree.call("timestamp", not_after)),
        tree.call("_<=_", tree.call("size", tree.field(tree.name("request"), "path")), tree.integer(MAX_PATH_CHARS)),
    ]
    if math.isfinite(admission.until):
        until = tree.call("timestamp", tree.integer(math.floor(admission.until)))
        conditions.append(tree.call("_<=_", tree.field(tree.name("request"), "time"), until))
    if admission.max_lifetime is not None:
        lifetime = tree.call("_-_", tree.number(tree.header(NOT_AFTER)), tree.number(tree.header(NOT_BEFORE)))
        conditions.append(tree.call("_<=_", lifetime, tree.integer(math.floor(admission.max_lifetime))))
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = tree.call("_&&_", whole, condition)
    return {
        "single_predicate": {
            "input": typed("request", "xds.type.matcher.v3.HttpAttributesCelMatchInput"),
            "custom_match": typed(
                "validity", "xds.type.matcher.v3.CelMatcher", expr_match={"cel_expr_parsed": {"expr": whole}}
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
        return self.call("_[_]", headers, self._node("const_expr", {"string_value": name}))

    def number(self, operand: Json) -> Json:
        return self.call("int", operand)

    def integer(self, value: int) -> Json:
        return self._node("const_expr", {"int64_value": str(value)})

    def call(self, function: str, *arguments: Json) -> Json:
        return self._node("call_expr", {"function": function, "args": list(arguments)})

    def _node(self, kind: str, content: dict[str, JsonValue]) -> Json:
        self._last += 1
        return {"id": str(self._last), kind: content}
