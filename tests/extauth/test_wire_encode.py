"""JSON to the wire: what an independent decoder reads is what was written, and nothing is dropped or guessed."""

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from extauth.wire.encode import MAX_DEPTH, any_from_json, extension_from_filter, message_from_json
from extauth.wire.errors import EncodeError
from extauth.wire.resources import POOL
from tests.extauth.xds.envoy_messages import FULL, decoded
from tests.support.effort import within

EXTENSION = "envoy.config.core.v3.TypedExtensionConfig"
PREFIX = "type.googleapis.com/"
MATCHER = "xds.type.matcher.v3.Matcher"


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", sorted(FULL))
def test_what_is_written_is_read_by_an_independent_decoder(name: str) -> None:
    """envoy-data-plane's own encoding of what it read is the same message, so no field was lost or renumbered."""
    ours = message_from_json(name, FULL[name])
    theirs = decoded(name, ours)
    assert parsed(name, bytes(theirs)) == parsed(name, ours)


@pytest.mark.parametrize("name", sorted(FULL))
def test_what_is_written_is_what_protobuf_itself_reads_from_the_json(name: str) -> None:
    message = json_format.ParseDict(FULL[name], GetMessageClass(POOL.FindMessageTypeByName(name))(), False, POOL)
    # As JSON again: inside an Any fields may stand in any order.
    read = parsed(name, message_from_json(name, FULL[name]))
    assert json_format.MessageToDict(read, descriptor_pool=POOL) == json_format.MessageToDict(
        message, descriptor_pool=POOL
    )


def parsed(name: str, data: bytes) -> Message:
    return GetMessageClass(POOL.FindMessageTypeByName(name)).FromString(data)


def extension(message: str, **fields: Any) -> dict[str, Any]:
    return {"name": "a", "typed_config": {"@type": PREFIX + message, **fields}}


@pytest.mark.parametrize(
    ("message", "value", "complaint"),
    [
        (EXTENSION, [], "not an object but []"),
        (EXTENSION, {"nam": "a"}, f"nam: {EXTENSION} has no such field"),
        (EXTENSION, {"name": 1}, "name: not text but 1"),
        (EXTENSION, {"name": None}, "name: not text but null"),
        (EXTENSION, {"name": "\ud800"}, "name: not Unicode"),
        (EXTENSION, {"typedConfig": {}}, "typedConfig: "),
        (EXTENSION, {"typed_config": []}, "typed_config: not an object with @type"),
        (EXTENSION, {"typed_config": {}}, "typed_config: @type is no type URL"),
        (EXTENSION, {"typed_config": {"@type": "envoy.x"}}, "typed_config: @type is no type URL"),
        (EXTENSION, {"typed_config": {"@type": PREFIX + "envoy.x"}}, "typed_config: the schema has no message envoy.x"),
        (EXTENSION, {"typed_config": {"@type": PREFIX + "google.protobuf.Any"}}, "a well-known type"),
        (EXTENSION, extension(MATCHER, x=1), f"typed_config.x: {MATCHER} has no such field"),
        (MATCHER, {"matcher_list": {}, "matcher_tree": {}}, "matcher_tree: set beside matcher_list"),
        (MATCHER, {"matcher_list": {"matchers": {}}}, "matcher_list.matchers: not a list but {}"),
        (MATCHER, {"matcher_list": {"matchers": [{}, None]}}, "matcher_list.matchers[1]: not an object but null"),
        (
            MATCHER,
            {"matcher_tree": {"exact_match_map": {"map": {"a": {"keep_matching": "no"}}}}},
            "matcher_tree.exact_match_map.map['a'].keep_matching: neither true nor false but 'no'",
        ),
        (MATCHER, {"matcher_tree": {"exact_match_map": {"map": []}}}, "map: not an object but []"),
        (MATCHER, {"matcher_tree": {"exact_match_map": {"map": {1: {}}}}}, "map[1]: not text but 1"),
        ("envoy.config.rbac.v3.Action", {"action": "PERMIT"}, "action: none of ALLOW, DENY, LOG but 'PERMIT'"),
        ("envoy.config.rbac.v3.Action", {"action": 1}, "action: none of ALLOW, DENY, LOG but 1"),
        ("xds.core.v3.CidrRange", {"prefix_len": -1}, "prefix_len: -1 is not within 0 and 4294967295"),
        ("xds.core.v3.CidrRange", {"prefix_len": True}, "prefix_len: not a whole number but True"),
        ("xds.core.v3.CidrRange", {"prefix_len": "8"}, "prefix_len: not a whole number but '8'"),
        ("cel.expr.Expr", {"id": "9223372036854775808"}, "is not within"),
        ("cel.expr.Expr", {"id": "\u0661"}, "not a whole number"),
        ("cel.expr.Constant", {"double_value": float("nan")}, "double_value: not a number but nan"),
        ("cel.expr.Constant", {"bytes_value": "a-b_"}, "bytes_value: not base64"),
        ("cel.expr.Constant", {"bool_value": None}, "bool_value: neither true nor false but null"),
        ("envoy.config.core.v3.GrpcService", {"timeout": "1"}, "timeout: not a duration"),
        ("envoy.config.core.v3.GrpcService", {"timeout": "-1s"}, "timeout: not a duration"),
        ("envoy.config.core.v3.GrpcService", {"timeout": 1}, "timeout: not a duration"),
        ("no.such.Message", {}, "the schema has no message no.such.Message"),
    ],
)
def test_what_envoy_would_not_read_as_it_is_written_is_refused_with_its_place(
    message: str, value: object, complaint: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        message_from_json(message, value)
    assert complaint in str(caught.value)


def test_a_default_value_is_left_out_and_a_chosen_one_of_a_oneof_is_not() -> None:
    assert message_from_json(EXTENSION, {"name": ""}) == b""
    assert message_from_json("envoy.type.matcher.v3.StringMatcher", {"exact": "", "ignore_case": False}) == b"\x0a\x00"
    assert message_from_json("cel.expr.Constant", {"null_value": None}) == b"\x08\x00"
    assert message_from_json("xds.core.v3.CidrRange", {"prefix_len": 0}) == b"\x12\x00"


def test_a_duration_keeps_its_nanoseconds() -> None:
    written = message_from_json("envoy.config.core.v3.GrpcService", {"timeout": "3.000000001s"})
    assert parsed("envoy.config.core.v3.GrpcService", written).timeout.nanos == 1  # type: ignore[attr-defined]


def test_a_negative_number_is_its_twos_complement() -> None:
    written = message_from_json("cel.expr.Constant", {"int64_value": -2})
    assert parsed("cel.expr.Constant", written).int64_value == -2  # type: ignore[attr-defined]


def nested(levels: int) -> dict[str, Any]:
    matcher: dict[str, Any] = {}
    for _ in range(levels):
        matcher = {"on_no_match": {"matcher": matcher}}
    return matcher


def test_a_tree_as_deep_as_parsers_follow_is_written_and_a_deeper_one_refused() -> None:
    deepest = message_from_json(MATCHER, nested(MAX_DEPTH // 2 - 1))
    assert parsed(MATCHER, deepest)
    with pytest.raises(EncodeError, match="Envoy would not read it"):
        message_from_json(MATCHER, nested(MAX_DEPTH))


def test_what_is_nested_without_end_is_refused() -> None:
    value: Any = {"@type": PREFIX + "envoy.config.rbac.v3.Action"}
    for _ in range(5000):
        value = extension("xds.core.v3.TypedExtensionConfig", typed_config=value)["typed_config"]
    with pytest.raises(EncodeError, match="too many objects in each other"):
        message_from_json(EXTENSION, {"name": "a", "typed_config": value})


def test_the_payload_of_an_any_comes_with_its_type() -> None:
    url, payload = any_from_json({"@type": PREFIX + "envoy.config.rbac.v3.Action", "name": "a"})
    assert (url, payload) == (PREFIX + "envoy.config.rbac.v3.Action", b"\x0a\x01a")


def test_equal_json_gives_equal_bytes() -> None:
    value = FULL[EXTENSION]
    assert extension_from_filter(value) == extension_from_filter(dict(value))


def rules(count: int) -> dict[str, Any]:
    def leaf(number: int) -> dict[str, Any]:
        decided = extension("envoy.config.rbac.v3.Action", name=f"allow:rule-{number}", action="ALLOW")
        path = extension("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path")
        predicate = {"single_predicate": {"input": path, "value_match": {"prefix": f"/v{number}/"}}}
        return {"matcher": {"matcher_list": {"matchers": [{"predicate": predicate, "on_match": {"action": decided}}]}}}

    uri = extension("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput")
    tree = {
        "input": uri,
        "exact_match_map": {"map": {f"spiffe://a.b/{number}": leaf(number) for number in range(count)}},
    }
    return extension("envoy.extensions.filters.http.rbac.v3.RBAC", matcher={"matcher_tree": tree})


def test_ten_thousand_rules_are_written_within_seconds() -> None:
    value = rules(10_000)
    with within(10):
        written = extension_from_filter(value)
    assert len(written) > 1_000_000


def test_text_in_base64_is_bytes() -> None:
    written = message_from_json("cel.expr.Constant", {"bytes_value": base64.b64encode(b"\xff\x00").decode()})
    assert written == b"\x3a\x02\xff\x00"
