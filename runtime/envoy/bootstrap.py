"""The whole configuration of an Envoy that terminates mTLS, asks peergate, and forwards.

Laws kept: no error permits (`ext_authz`); the path is judged raw and forwarded as received, identity headers from
outside go no further, and a verdict's life is bounded, by the stream's and the connection's (`connection_manager`).
"""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from runtime.address import Address, TcpAddress, UnixAddress
from runtime.envoy import limits
from runtime.envoy.connection_manager import NativeFilters, http_connection_manager
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.proto_json import Json, JsonValue, any_of, seconds, typed
from runtime.envoy.tls import DiscoveredTls, DownstreamTls, json_from_discovered_tls, json_from_downstream_tls

UPSTREAM_CLUSTER = "upstream"
LISTENER = "mtls"


@dataclass(frozen=True, slots=True)
class EnvoySettings:
    """What one Envoy is told.

    `admin` can show all of Envoy and stop it: a Unix socket or a loopback address, never one that others reach.
    `native`: filters that decide before anybody is asked; without them peergate is asked about every request.
    """

    listen: TcpAddress
    tls: DownstreamTls | DiscoveredTls
    authorization: Authorization
    upstream: Address
    admin: Address
    access_log: Path | None = None
    native: NativeFilters | None = None


def bootstrap_from_settings(settings: EnvoySettings, listeners: Json | None = None) -> Json:
    """`envoy.config.bootstrap.v3.Bootstrap` in protobuf's JSON form.

    `listeners`: where `listener_from_settings` is found (`ConfigSource`), if it may change while Envoy runs.
    """
    return {
        "admin": {"address": json_from_address(settings.admin)},
        # Envoy wants a name wherever something may change.
        "node": {"id": "peergate", "cluster": "peergate"},
        **({} if listeners is None else {"dynamic_resources": {"lds_config": listeners}}),
        "static_resources": {
            "listeners": [listener_from_settings(settings)] if listeners is None else [],
            "clusters": [_authorization_cluster(settings.authorization), _upstream_cluster(settings.upstream)],
        },
        "overload_manager": {
            "resource_monitors": [
                typed(
                    "envoy.resource_monitors.global_downstream_max_connections",
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    max_active_downstream_connections=limits.DOWNSTREAM_CONNECTIONS,
                )
            ]
        },
    }


def listener_from_settings(settings: EnvoySettings) -> Json:
    """`envoy.config.listener.v3.Listener`."""
    tls = settings.tls
    socket = json_from_downstream_tls(tls) if isinstance(tls, DownstreamTls) else json_from_discovered_tls(tls)
    native = settings.native
    return {
        "name": LISTENER,
        "address": json_from_address(settings.listen),
        "per_connection_buffer_limit_bytes": limits.BUFFER_BYTES,
        # The inspector tells ext_authz which SNI the client sent.
        "listener_filters": [
            typed(
                "envoy.filters.listener.tls_inspector",
                "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
            )
        ],
        "listener_filters_timeout": seconds(limits.HANDSHAKE_SECONDS),
        **({} if native is None or native.listener_log is None else {"access_log": [native.listener_log]}),
        "filter_chains": [
            {
                "transport_socket_connect_timeout": seconds(limits.HANDSHAKE_SECONDS),
                "transport_socket": socket,
                "filters": [
                    *(() if native is None else native.of_connection),
                    http_connection_manager(
                        settings.authorization,
                        UPSTREAM_CLUSTER,
                        access_log=settings.access_log,
                        native=native,
                    ),
                ],
            }
        ],
    }


def _authorization_cluster(authorization: Authorization) -> Json:
    cluster = _cluster(authorization.cluster, authorization.address)
    bound: JsonValue = limits.AUTHORIZATION_REQUESTS
    cluster["circuit_breakers"] = {"thresholds": [{"max_requests": bound, "max_pending_requests": bound}]}
    if authorization.speaks_http2:
        cluster["typed_extension_protocol_options"] = json_of_protocol({"http2_protocol_options": {}})
    return cluster


def _upstream_cluster(address: Address) -> Json:
    cluster = _cluster(UPSTREAM_CLUSTER, address)
    cluster["typed_extension_protocol_options"] = json_of_protocol({"http_protocol_options": {}})
    return cluster


def json_of_protocol(explicit: Json) -> Json:
    """A cluster's `typed_extension_protocol_options` for one protocol."""
    options = any_of("envoy.extensions.upstreams.http.v3.HttpProtocolOptions", explicit_http_config=explicit)
    return {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}


#: Of a cluster whose addresses are names. Envoy by itself takes the IPv6 addresses of a name that has both: `localhost`
#: would be `::1`, where most servers do not listen.
BY_NAME: Json = {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}


def _cluster(name: str, address: Address) -> Json:
    return {
        "name": name,
        **(BY_NAME if _needs_dns(address) else {"type": "STATIC"}),
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": json_from_address(address)}}]}],
        },
    }


def _needs_dns(address: Address) -> bool:
    if isinstance(address, UnixAddress):
        return False
    try:
        ip_address(address.host)
    except ValueError:
        return True
    return False


def json_from_address(address: Address) -> Json:
    """`envoy.config.core.v3.Address`."""
    if isinstance(address, UnixAddress):
        return {"pipe": {"path": address.path}}
    return {"socket_address": {"address": address.host, "port_value": address.port}}
