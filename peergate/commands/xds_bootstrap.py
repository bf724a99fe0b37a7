"""`peergate xds bootstrap`: the whole configuration of an Envoy that gets its policy from the discovery service."""

import json
from dataclasses import dataclass
from pathlib import Path

from extauth.xds.native import listener_filters
from peergate.exit_code import ExitCode
from runtime.address import TcpAddress, address_from_text
from runtime.envoy.bootstrap import EnvoySettings
from runtime.envoy.discovery import Discovery, Form, bootstrap_with_discovery
from runtime.envoy.ext_authz import Authorization
from runtime.envoy.proto_json import Json
from runtime.envoy.tls import DiscoveredTrust, DownstreamTls
from runtime.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed."""

    node: str
    cluster: str
    servers: tuple[str, ...]
    server_ca: str
    server_name: str
    client_cert: str
    client_key: str
    listen: str
    cert: str
    key: str
    upstream: str
    extauth: str
    trust: str
    admin: str
    access_log: str | None
    unauthenticated: bool
    delta: bool


def xds_bootstrap(asked: Asked) -> ExitCode:
    """Print it. Raises ConfigurationError."""
    print(json.dumps(bootstrap_from_asked(asked), indent=1))
    return ExitCode.FINE


def bootstrap_from_asked(asked: Asked) -> Json:
    """`envoy.config.bootstrap.v3.Bootstrap`. Raises ConfigurationError."""
    settings = EnvoySettings(
        listen=_tcp("--listen", asked.listen),
        tls=DownstreamTls(
            Path(asked.cert),
            Path(asked.key),
            DiscoveredTrust(asked.trust),
            require_client_certificate=not asked.unauthenticated,
        ),
        authorization=Authorization(address_from_text(asked.extauth)),
        upstream=address_from_text(asked.upstream),
        admin=address_from_text(asked.admin),
        access_log=None if asked.access_log is None else Path(asked.access_log),
        native=listener_filters(),
    )
    discovery = Discovery(
        node=asked.node,
        cluster=asked.cluster,
        servers=tuple(_tcp("--server", server) for server in asked.servers),
        certificate=Path(asked.client_cert),
        key=Path(asked.client_key),
        server_cas=Path(asked.server_ca),
        server_name=asked.server_name,
        form=Form.DELTA if asked.delta else Form.STATE_OF_THE_WORLD,
    )
    return bootstrap_with_discovery(settings, discovery)


def _tcp(flag: str, text: str) -> TcpAddress:
    address = address_from_text(text)
    if not isinstance(address, TcpAddress):
        raise ConfigurationError(f"{flag} {text}: give a host and a port")
    return address
