"""The configuration of an Envoy that gets its HTTP filters and its trust from `peergate xds serve`, by one ADS stream.

The listener has a place for each filter, by name, and nothing to put there until the service has spoken: until then,
and when a filter is withdrawn, Envoy answers every request with an error. What it was given last it keeps through every
outage of the service.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from runtime.address import TcpAddress
from runtime.envoy import limits
from runtime.envoy.bootstrap import BY_NAME, EnvoySettings, bootstrap_from_settings, json_from_address, json_of_protocol
from runtime.envoy.proto_json import FROM_DISCOVERY, Json, JsonValue, any_of, seconds, type_url

DISCOVERY_CLUSTER = "peergate_xds"


class Form(StrEnum):
    """The two forms of the protocol."""

    STATE_OF_THE_WORLD = "GRPC"
    DELTA = "DELTA_GRPC"


@dataclass(frozen=True, slots=True)
class FilterPlace:
    """One filter that the service delivers. `message`: the full name of its configuration's type."""

    name: str
    message: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """Who serves, and who asks.

    - `node`: how this Envoy calls itself, `cluster` its group: unique together.
    - `servers`: the replicas; Envoy stays with one until it is gone.
    - `certificate`, `key`: of this Envoy, for the policy to judge. `server_cas`, `server_name`: PEM of the CAs that
      vouch for the servers, and the DNS name in their certificates.
    """

    node: str
    cluster: str
    servers: tuple[TcpAddress, ...]
    certificate: Path
    key: Path
    server_cas: Path
    server_name: str
    form: Form = Form.STATE_OF_THE_WORLD


def bootstrap_with_discovery(settings: EnvoySettings, discovery: Discovery) -> Json:
    """`bootstrap_from_settings` of an Envoy that asks the service.

    What it asks for stands in the settings: filters that are `json_of_place` in `settings.native`, and
    `DiscoveredTrust` in `settings.tls`.
    """
    bootstrap = bootstrap_from_settings(settings)
    static = bootstrap["static_resources"]
    if isinstance(static, dict) and isinstance(static["clusters"], list):
        static["clusters"].append(_cluster(discovery))
    bootstrap["node"] = {"id": discovery.node, "cluster": discovery.cluster}
    bootstrap["dynamic_resources"] = {"ads_config": _ads(discovery)}
    return bootstrap


def json_of_place(place: FilterPlace) -> Json:
    """The `HttpFilter` that waits for its configuration."""
    return {
        "name": place.name,
        "config_discovery": {
            "config_source": FROM_DISCOVERY,
            "type_urls": [type_url(place.message)],
        },
    }


def _ads(discovery: Discovery) -> Json:
    return {
        "api_type": discovery.form.value,
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [
            {
                "envoy_grpc": {
                    "cluster_name": DISCOVERY_CLUSTER,
                    "authority": discovery.server_name,
                    "retry_policy": {
                        "retry_back_off": {
                            "base_interval": seconds(limits.DISCOVERY_RETRY_SECONDS),
                            "max_interval": seconds(limits.DISCOVERY_MAX_RETRY_SECONDS),
                        }
                    },
                }
            },
        ],
    }


def _cluster(discovery: Discovery) -> Json:
    """Health is the connection's: a server that does not answer pings is left for another one."""
    http2: Json = {
        "connection_keepalive": {
            "interval": seconds(limits.DISCOVERY_PING_SECONDS),
            "timeout": seconds(limits.DISCOVERY_PONG_SECONDS),
        }
    }
    endpoints: list[JsonValue] = [{"endpoint": {"address": json_from_address(server)}} for server in discovery.servers]
    return {
        "name": DISCOVERY_CLUSTER,
        **BY_NAME,
        "connect_timeout": "5s",
        "typed_extension_protocol_options": json_of_protocol({"http2_protocol_options": http2}),
        "transport_socket": _upstream_tls(discovery),
        "load_assignment": {"cluster_name": DISCOVERY_CLUSTER, "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _upstream_tls(discovery: Discovery) -> Json:
    exact: Json = {"exact": discovery.server_name}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": any_of(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            sni=discovery.server_name,
            common_tls_context={
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(discovery.certificate)},
                        "private_key": {"filename": str(discovery.key)},
                    }
                ],
                "validation_context": {
                    "trusted_ca": {"filename": str(discovery.server_cas)},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": exact}],
                },
            },
        ),
    }
