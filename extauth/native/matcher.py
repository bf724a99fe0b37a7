"""Envoy's unified matcher as JSON: `xds.type.matcher.v3.Matcher` and the inputs that the compiler uses.

A matcher that finds nothing, nested ones included, is left for the next in its list; the first that finds something
decides.
"""

from collections.abc import Mapping, Sequence

from runtime.envoy.proto_json import Json, JsonValue, any_of, typed

#: Filter state that `extauth.native.filters` sets.
SANS, CHAIN, SERIAL, PATH = "peergate.sans", "peergate.chain", "peergate.serial", "peergate.path"
TRUST, ISSUER, CHANGE = "peergate.trust", "peergate.issuer", "peergate.change"
#: What a request and its connection show, in one text: dates (`extauth.native.dates`), method, host, path, SANs, chain,
#: and the mark of `TRUST` where there is one.
FACTS = "peergate.facts"

_NETWORK_INPUTS = "envoy.extensions.matching.common_inputs.network.v3."


def state_input(key: str) -> Json:
    """The filter state `key`, a string."""
    return typed("filter_state", _NETWORK_INPUTS + "FilterStateInput", key=key)


def header_input(name: str) -> Json:
    """The request header `name`; several values are joined by a comma."""
    return typed("header", "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)


def action(name: str, *, permits: bool) -> Json:
    """`OnMatch`: the request is decided. `permits`: it goes on, which for `ask:` means to peergate."""
    decided = any_of("envoy.config.rbac.v3.Action", name=name, action="ALLOW" if permits else "DENY")
    return {"action": {"name": "action", "typed_config": decided}}


def nested(matcher: Json) -> Json:
    """`OnMatch`: another matcher decides, if it finds something."""
    return {"matcher": matcher}


def exact_map(source: Json, branches: Mapping[str, Json], otherwise: Json | None = None) -> Json:
    """A hash look-up; `otherwise` where the value is not a key, or its branch finds nothing."""
    tree: Json = {"matcher_tree": {"input": source, "exact_match_map": {"map": dict(branches)}}}
    return tree if otherwise is None else {**tree, "on_no_match": otherwise}


def prefix_map(source: Json, branches: Mapping[str, Json]) -> Json:
    """The branch of the longest key that the value starts with."""
    return {"matcher_tree": {"input": source, "prefix_match_map": {"map": dict(branches)}}}


def in_order(entries: Sequence[tuple[Json, Json]], otherwise: Json | None = None) -> Json:
    """Predicates with what they lead to, tried in order. There must be something to try."""
    if not entries and otherwise is not None and "matcher" in otherwise:
        inner = otherwise["matcher"]
        if isinstance(inner, dict):
            return inner
    matchers: list[JsonValue] = [{"predicate": predicate, "on_match": on_match} for predicate, on_match in entries]
    listed: Json = {"matcher_list": {"matchers": matchers}} if matchers else {}
    return listed if otherwise is None else {**listed, "on_no_match": otherwise}


def equals(source: Json, value: str) -> Json:
    """The value is this one."""
    return {"single_predicate": {"input": source, "value_match": {"exact": value}}}


def fits(source: Json, expression: str) -> Json:
    """The whole value matches `expression` (RE2)."""
    value: Json = {"safe_regex": {"google_re2": {}, "regex": expression}}
    return {"single_predicate": {"input": source, "value_match": value}}


def contains(source: Json, text: str) -> Json:
    """`text` occurs in the value, case ignored."""
    return {"single_predicate": {"input": source, "value_match": {"contains": text, "ignore_case": True}}}


def source_in(cidrs: Sequence[str]) -> Json:
    """The address of the connection, which no header changes, lies in one of these networks."""
    ranges: list[JsonValue] = []
    for cidr in cidrs:
        address, _, length = cidr.partition("/")
        ranges.append({"address_prefix": address, "prefix_len": int(length)})
    return {
        "single_predicate": {
            "input": typed("source", _NETWORK_INPUTS + "DirectSourceIPInput"),
            "custom_match": typed(
                "ip", "envoy.extensions.matching.input_matchers.ip.v3.Ip", cidr_ranges=ranges, stat_prefix="peergate"
            ),
        }
    }


def negated(predicate: Json) -> Json:
    """The opposite; of what is absent, too."""
    return {"not_matcher": predicate}


def all_of(predicates: Sequence[Json]) -> Json:
    """Every predicate holds; there is at least one."""
    return predicates[0] if len(predicates) == 1 else {"and_matcher": {"predicate": list(predicates)}}


def any_of_these(predicates: Sequence[Json]) -> Json:
    """At least one predicate holds; there is at least one."""
    return predicates[0] if len(predicates) == 1 else {"or_matcher": {"predicate": list(predicates)}}
