"""The HTTP connection manager: what Envoy does to a request before, and after, peergate judges it.

Law 6: a path is judged raw and the bytes that were received are forwarded, so nothing here normalises: every
normalisation is a second opinion on what the path is. Law 7: identity headers from outside end here.
"""

from dataclasses import dataclass
from pathlib import Path

from policies.engine.header_names import IDENTITY_HEADERS, IDENTITY_PREFIXES, REWRITING_HEADERS
from runtime.envoy import limits
from runtime.envoy.ext_authz import Authorization, Protocol, json_from_authorization
from runtime.envoy.proto_json import Json, JsonValue, any_of, seconds, typed
from runtime.identity_headers import XFCC

#: What an access log tells of every request.
ACCESS_LOG_FIELDS = {
    "time": "%START_TIME%",
    "method": "%REQUEST_HEADER(:METHOD)%",
    "host": "%REQUEST_HEADER(:AUTHORITY)%",
    "path": "%REQUEST_HEADER(:PATH)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "source": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "caller": "%DOWNSTREAM_PEER_URI_SAN%",
}
#: What Envoy decided itself, and would with shadow rules enforced (`extauth.native.names`).
NATIVE_FIELDS = {
    "native": "%DYNAMIC_METADATA(envoy.filters.http.rbac:enforced_effective_policy_id)%",
    "shadow": "%DYNAMIC_METADATA(envoy.filters.http.rbac:rules_shadow_effective_policy_id)%",
}
#: What peergate decided: it tells Envoy as dynamic metadata, over gRPC only.
DECISION_FIELDS = {
    "decision_id": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%",
    "reason": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:reason)%",
    "rules": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:rules)%",
}


@dataclass(frozen=True, slots=True)
class NativeFilters:
    """Filters that decide inside Envoy, in protobuf's JSON form.

    `of_connection`: network filters before the connection manager. `of_request`: HTTP filters, ext_authz among them.
    `of_manager`: fields of the connection manager. `of_route`: fields of its route configuration. `access_log`: where
    it is told what was decided, and `listener_log` of connections.
    """

    of_connection: tuple[Json, ...]
    of_request: tuple[Json, ...]
    of_manager: Json
    of_route: Json
    access_log: Json | None = None
    listener_log: Json | None = None


def http_connection_manager(
    authorization: Authorization, upstream: str, *, access_log: Path | None, native: NativeFilters | None = None
) -> Json:
    """The network filter of one filter chain; `upstream` is the cluster that gets what is allowed."""
    return typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="mtls",
        **_RAW_PATH,
        **_CLIENT_FACTS,
        **_BOUNDS,
        **(_outside_headers_removed(authorization) if native is None else native.of_manager),
        access_log=[
            *(() if access_log is None else (_access_log(access_log, authorization, native),)),
            *(() if native is None or native.access_log is None else (native.access_log,)),
        ],
        http_filters=[
            *((json_from_authorization(authorization),) if native is None else native.of_request),
            _outside_trailers_removed(authorization),
            typed(
                "envoy.filters.http.router",
                "envoy.extensions.filters.http.router.v3.Router",
                suppress_envoy_headers=True,
            ),
        ],
        route_config={
            "name": "all",
            **({} if native is None else native.of_route),
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_route(upstream)]}],
        },
    )


#: Envoy would decode and merge once, not to the end, and differently from the upstream. peergate refuses every path
#: that has two readings, so there is nothing left to normalise.
_RAW_PATH: Json = {
    "normalize_path": False,
    "merge_slashes": False,
    "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
}

#: The certificate replaces whatever the client claims. `use_remote_address` makes the connection's address the one that
#: counts, instead of the client's own x-forwarded-for.
_CLIENT_FACTS: Json = {
    "forward_client_cert_details": "SANITIZE_SET",
    "set_current_client_cert_details": {"subject": True, "cert": True, "chain": True, "dns": True, "uri": True},
    "use_remote_address": True,
}

_BOUNDS: Json = {
    "max_request_headers_kb": limits.REQUEST_HEADERS_KB,
    "request_headers_timeout": seconds(limits.REQUEST_HEADERS_SECONDS),
    "drain_timeout": seconds(limits.DRAIN_SECONDS),
    "common_http_protocol_options": {
        "idle_timeout": seconds(limits.CONNECTION_IDLE_SECONDS),
        "max_connection_duration": seconds(limits.CONNECTION_SECONDS),
        "max_stream_duration": seconds(limits.STREAM_SECONDS),
        "max_headers_count": limits.REQUEST_HEADERS_COUNT,
        # `x_peergate_id` reaches many frameworks as the same variable as `x-peergate-id`.
        "headers_with_underscores_action": "DROP_HEADER",
    },
    # The authority of an absolute-form target would silently replace Host; like this such a target finds no route.
    "http_protocol_options": {"allow_absolute_url": False},
    "http2_protocol_options": {
        "max_concurrent_streams": limits.CONCURRENT_STREAMS,
        "initial_stream_window_size": limits.STREAM_WINDOW_BYTES,
        "initial_connection_window_size": limits.CONNECTION_WINDOW_BYTES,
    },
}


def _outside_headers_removed(authorization: Authorization) -> Json:
    """Over gRPC peergate sees every header and names those to remove; over HTTP it cannot, so Envoy removes them."""
    if authorization.protocol is Protocol.GRPC:
        return {}
    names = _untouchable(authorization) - {XFCC}  # Envoy replaces that one
    return {
        "skip_xff_append": True,
        "early_header_mutation_extensions": [
            typed(
                "envoy.http.early_header_mutation.header_mutation",
                "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                mutations=[*_removals(names), _CONNECTION_ADDRESS_APPENDED],
            )
        ],
    }


def _outside_trailers_removed(authorization: Authorization) -> Json:
    """No form of ext_authz shows trailers, and frameworks merge them into headers: Envoy removes them by name."""
    return typed(
        "envoy.filters.http.header_mutation",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_trailers_mutations": _removals(_untouchable(authorization))},
    )


#: For a client at 127.0.0.1 Envoy itself would append the address of its own node to X-Forwarded-For. This is the
#: connection's address always (after PROXY protocol), and early: Envoy has read nothing out of X-Forwarded-For yet.
_CONNECTION_ADDRESS_APPENDED: Json = {
    "append": {
        "header": {"key": "x-forwarded-for", "value": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"},
        "append_action": "APPEND_IF_EXISTS_OR_ADD",
    }
}


def _untouchable(authorization: Authorization) -> frozenset[str]:
    return IDENTITY_HEADERS | REWRITING_HEADERS | frozenset(authorization.set_headers)


def _removals(names: frozenset[str]) -> list[JsonValue]:
    """`envoy.config.common.mutation_rules.v3.HeaderMutation`: these names, and every identity family."""
    removed: list[JsonValue] = [{"remove": name} for name in sorted(names)]
    removed += [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in IDENTITY_PREFIXES]
    return removed


def _route(upstream: str) -> Json:
    # No route timeout: the stream's bound holds, for streaming answers too.
    return {"match": {"prefix": "/"}, "route": {"cluster": upstream, "timeout": "0s"}}


def _access_log(path: Path, authorization: Authorization, native: NativeFilters | None) -> Json:
    fields: Json = {**ACCESS_LOG_FIELDS, **(DECISION_FIELDS if authorization.protocol is Protocol.GRPC else {})}
    fields |= {} if native is None else NATIVE_FIELDS
    log = any_of(
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        path=str(path),
        log_format={"json_format": fields},
    )
    return {"name": "envoy.access_loggers.file", "typed_config": log}
