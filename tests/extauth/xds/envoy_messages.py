"""Every message that is delivered, with every field that our schema has, and envoy-data-plane's classes for them."""

import dataclasses
import importlib
import typing
import warnings
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

PREFIX = "type.googleapis.com/"

with warnings.catch_warnings():
    # Its classes use a form of pydantic validators that newer pydantics warn of, at import.
    warnings.simplefilter("ignore")
    for _package in (
        "cel.expr",
        "xds.core.v3",
        "xds.type.matcher.v3",
        "xds.type.v3",
        *(
            f"envoy.{part}.v3"
            for part in (
                "config.common.mutation_rules",
                "config.core",
                "config.rbac",
                "extensions.filters.common.set_filter_state",
                "extensions.filters.http.ext_authz",
                "extensions.filters.http.header_mutation",
                "extensions.filters.http.rbac",
                "extensions.filters.http.router",
                "extensions.filters.http.set_filter_state",
                "extensions.matching.common_inputs.network",
                "extensions.matching.common_inputs.ssl",
                "extensions.matching.input_matchers.ip",
                "extensions.matching.input_matchers.metadata",
                "extensions.transport_sockets.tls",
                "service.discovery",
                "type",
                "type.matcher",
            )
        ),
    ):
        importlib.import_module(f"envoy_data_plane.{_package}")
    from envoy_data_plane.message_pool import default_message_pool

#: Full name -> class.
CLASSES: dict[str, Any] = {
    url.removeprefix(PREFIX): kind for url, kind in default_message_pool.url_to_type.items() if url.startswith(PREFIX)
}
#: Messages of cncf/xds that envoy-data-plane lacks; a real Envoy reads them in `test_real_filters`.
NOT_THERE = frozenset(
    f"xds.type.matcher.v3.{name}"
    for name in ("CelMatcher", "HttpAttributesCelMatchInput", "IPMatcher", "IPMatcher.IPRangeMatcher")
)


def decoded(name: str, data: bytes) -> Any:
    """The message as envoy-data-plane reads it."""
    return CLASSES[name].parse(data)


class Field(typing.NamedTuple):
    """What both sides must agree on."""

    number: int
    kind: str
    repeated: bool
    oneof: str | None


_KINDS = {
    getattr(FieldDescriptor, f"TYPE_{kind.upper()}"): kind
    for kind in ("string", "bytes", "bool", "double", "int32", "int64", "uint32", "uint64", "enum", "message")
}


def our_fields(message: Descriptor) -> dict[str, Field]:
    """By our descriptors."""
    return {
        field.name: Field(
            field.number,
            "map" if field.message_type and field.message_type.GetOptions().map_entry else _KINDS[field.type],
            field.is_repeated,
            field.containing_oneof.name if field.containing_oneof else None,
        )
        for field in message.fields
    }


def their_fields(name: str) -> dict[str, Field]:
    """By the metadata of envoy-data-plane's class, whose maps do not count as repeated there."""
    found = {}
    for field in dataclasses.fields(CLASSES[name]):
        told = field.metadata["betterproto"]
        found[field.name] = Field(told.number, told.proto_type, told.repeated or told.proto_type == "map", told.group)
    return found


def _any(message: str, **fields: Any) -> dict[str, Any]:
    return {"@type": PREFIX + message, **fields}


def _extension(message: str, **fields: Any) -> dict[str, Any]:
    return {"name": "an extension", "typed_config": _any(message, **fields)}


_ACTION = {"action": _extension("envoy.config.rbac.v3.Action", name="deny:a", action="DENY")}
_NETWORK = "envoy.extensions.matching.common_inputs.network.v3."
_TEXTS = [
    {"exact": "a"},
    {"prefix": "a", "ignore_case": True},
    {"suffix": "ä"},
    {"safe_regex": {"google_re2": {}, "regex": "a.*"}},
    {"contains": "a"},
]
_INPUTS = [
    _extension("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=":path"),
    _extension("envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput"),
    _extension("envoy.extensions.matching.common_inputs.ssl.v3.DnsSanInput"),
    _extension("envoy.extensions.matching.common_inputs.ssl.v3.SubjectInput"),
    _extension(_NETWORK + "FilterStateInput", key="a", field="b"),
    _extension(_NETWORK + "ServerNameInput"),
    _extension(_NETWORK + "DynamicMetadataInput", filter="f", path=[{"key": "a"}, {"key": "b"}]),
]
_PREDICATES: list[Any] = [
    {"single_predicate": {"input": given, "value_match": text}}
    for given, text in zip(_INPUTS, _TEXTS * 2, strict=False)
]
_RANGES = _extension(
    "xds.type.matcher.v3.IPMatcher",
    range_matchers=[{"ranges": [{"address_prefix": "::1"}], "on_match": _ACTION, "exclusive": True}],
)
_MATCHER: dict[str, Any] = {
    "matcher_list": {
        "matchers": [
            {"predicate": {"and_matcher": {"predicate": _PREDICATES}}, "on_match": _ACTION},
            {"predicate": {"or_matcher": {"predicate": _PREDICATES[:2]}}, "on_match": {"keep_matching": True}},
            {"predicate": {"not_matcher": _PREDICATES[0]}, "on_match": _ACTION},
            {
                "predicate": _PREDICATES[1],
                "on_match": {"matcher": {"matcher_tree": {"input": _INPUTS[0], "custom_match": _RANGES}}},
            },
            {
                "predicate": {
                    "single_predicate": {
                        "input": _extension(_NETWORK + "DirectSourceIPInput"),
                        "custom_match": _extension(
                            "envoy.extensions.matching.input_matchers.ip.v3.Ip",
                            cidr_ranges=[{"address_prefix": "10.0.0.0", "prefix_len": 8}, {"address_prefix": "::"}],
                            stat_prefix="p",
                        ),
                    }
                },
                "on_match": {
                    "matcher": {
                        "matcher_tree": {
                            "input": _INPUTS[1],
                            "prefix_match_map": {"map": {"/a": _ACTION, "/ä": _ACTION}},
                        }
                    }
                },
            },
        ]
    },
    "on_no_match": {
        "matcher": {"matcher_tree": {"input": _INPUTS[1], "exact_match_map": {"map": {"a": _ACTION, "": {}}}}}
    },
}
_CONSTANTS: list[Any] = [
    {"null_value": None},
    {"bool_value": True},
    {"int64_value": "-5"},
    {"uint64_value": "18446744073709551615"},
    {"double_value": 0.5},
    {"string_value": "x"},
    {"bytes_value": "/w=="},
]
_EXPRESSION: dict[str, Any] = {
    "id": "1",
    "call_expr": {
        "target": {"id": 2, "ident_expr": {"name": "a"}},
        "function": "_&&_",
        "args": [
            {"select_expr": {"operand": {"ident_expr": {"name": "request"}}, "field": "time", "test_only": True}},
            {"list_expr": {"elements": [{"const_expr": constant} for constant in _CONSTANTS]}},
        ],
    },
}
_MUTATIONS: list[Any] = [
    {"remove": "x-a"},
    {
        "append": {
            "header": {"key": "x-b", "value": "b"},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            "keep_empty_value": True,
        }
    },
    {"append": {"header": {"key": "x-c", "raw_value": "Yw=="}}},
    {"remove_on_match": {"key_matcher": {"prefix": "x-peergate-"}}},
]
_VALUES: list[Any] = [
    {"null_match": {}},
    {"string_match": {"prefix": "ask:"}},
    {"bool_match": False},
    {"present_match": True},
    {"list_match": {"one_of": {"string_match": {"exact": "a"}}}},
]
_STATE = {
    "object_key": "k",
    "factory_key": "envoy.string",
    "format_string": {"text_format_source": {"inline_string": "%PATH%"}, "omit_empty_values": True},
    "read_only": True,
    "shared_with_upstream": "ONCE",
    "skip_if_empty": True,
}
_HTTP = "envoy.extensions.filters.http."

#: Full name -> JSON; together they use every field of the schema.
FULL: dict[str, Any] = {
    "envoy.config.core.v3.TypedExtensionConfig": _extension(
        _HTTP + "rbac.v3.RBAC",
        rules={"action": "LOG"},
        shadow_rules={},
        shadow_rules_stat_prefix="s",
        matcher=_MATCHER,
        shadow_matcher=_MATCHER,
        rules_stat_prefix="r",
        track_per_rule_stats=True,
    ),
    _HTTP + "set_filter_state.v3.Config": {
        "on_request_headers": [_STATE, {"object_key": "l", "format_string": {"text_format": "a"}}],
        "clear_route_cache": True,
    },
    _HTTP + "header_mutation.v3.HeaderMutation": {
        "mutations": {
            "request_mutations": _MUTATIONS,
            "response_mutations": _MUTATIONS[:1],
            "response_trailers_mutations": _MUTATIONS[:1],
            "request_trailers_mutations": _MUTATIONS[:1],
        },
        "most_specific_header_mutations_wins": True,
    },
    _HTTP + "ext_authz.v3.ExtAuthz": {
        "grpc_service": {
            "envoy_grpc": {"cluster_name": "c", "authority": "a"},
            "timeout": "0.2s",
            "initial_metadata": [{"key": "k", "value": "v"}],
        },
        "failure_mode_allow": True,
        "clear_route_cache": True,
        "status_on_error": {"code": "Forbidden"},
        "metadata_context_namespaces": ["a", "b"],
        "include_peer_certificate": True,
        "transport_api_version": "V3",
        "stat_prefix": "p",
        "filter_enabled_metadata": {
            "filter": "f",
            "path": [{"key": "k"}],
            "value": {"or_match": {"value_matchers": _VALUES}},
            "invert": True,
        },
        "allowed_headers": {"patterns": _TEXTS},
        "include_tls_session": True,
        "encode_raw_headers": True,
        "validate_mutations": True,
        "disallowed_headers": {"patterns": _TEXTS},
    },
    "xds.core.v3.TypedExtensionConfig": _extension(
        _HTTP + "ext_authz.v3.ExtAuthz",
        http_service={
            "server_uri": {"uri": "http://a", "cluster": "c", "timeout": "1s"},
            "path_prefix": "/a",
            "authorization_request": {"headers_to_add": [{"key": "k", "value": "v"}]},
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": _TEXTS},
                "allowed_client_headers": {"patterns": _TEXTS},
            },
        },
    ),
    _HTTP + "router.v3.Router": {"suppress_envoy_headers": True},
    "envoy.extensions.transport_sockets.tls.v3.Secret": {
        "name": "trust",
        "validation_context": {
            "trusted_ca": {"inline_string": "PEM"},
            "verify_certificate_hash": ["00", "11"],
            "crl": {"inline_bytes": "Yw=="},
            "trust_chain_verification": "ACCEPT_UNTRUSTED",
            "only_verify_leaf_cert_crl": True,
            "max_verify_depth": 7,
        },
    },
    "envoy.extensions.matching.input_matchers.metadata.v3.Metadata": {"value": _VALUES[1], "invert": True},
    "envoy.type.matcher.v3.RegexMatcher": {"google_re2": {"max_program_size": 9}, "regex": "a"},
    "envoy.config.core.v3.DataSource": {"filename": "f"},
    "xds.core.v3.CidrRange": {"address_prefix": "10.0.0.0", "prefix_len": 8},
    "xds.type.v3.CelExpression": {"cel_expr_parsed": {"expr": _EXPRESSION}},
}
