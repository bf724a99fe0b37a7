"""`peergate gateway …`: how these commands are called."""

from typing import Annotated

import typer

from peergate.exit_code import ExitCode
from peergate.help import help_without_command
from peergate.serve_options import (
    ConfigOption,
    DecisionLogOption,
    DrainOption,
    LogFormatOption,
    LogLevelOption,
    ObserveOption,
    OpsOption,
    PolicyOption,
    PrintConfigOption,
    ShadowPolicyOption,
    WorkersOption,
)

gateway_app = typer.Typer(
    help="The mTLS gateway, and forward-auth.",
    callback=help_without_command,
    invoke_without_command=True,
)

_UPSTREAMS = "TLS to upstreams"
_BOUNDS = "Bounds, of each worker"
_FRONT = "Behind a proxy that terminates TLS"


@gateway_app.command()
def serve(
    policy: PolicyOption = None,
    shadow_policy: ShadowPolicyOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve HTTPS; unix:/path is a socket.")
    ] = None,
    cert: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate chain of the listener, PEM.")] = None,
    key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    upstream: Annotated[
        list[str] | None, typer.Option(metavar="[HOST[/PREFIX]=]URL", help="Where requests go; may be repeated.")
    ] = None,
    upstream_ca: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="CAs of upstreams, PEM; the system's if left out.", rich_help_panel=_UPSTREAMS
        ),
    ] = None,
    upstream_cert: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Certificate that upstreams are shown, PEM.", rich_help_panel=_UPSTREAMS),
    ] = None,
    upstream_key: Annotated[
        str | None, typer.Option(metavar="FILE", help="Its key, PEM.", rich_help_panel=_UPSTREAMS)
    ] = None,
    upstream_client_cert_chain: Annotated[
        bool | None,
        typer.Option(
            "--upstream-client-cert-chain/--no-upstream-client-cert-chain",
            help="Tell upstreams what came with a certificate as Client-Cert-Chain, too.",
            rich_help_panel=_UPSTREAMS,
        ),
    ] = None,
    upstream_xfcc: Annotated[
        bool | None,
        typer.Option(
            "--upstream-xfcc/--no-upstream-xfcc",
            help="Tell upstreams the caller as x-forwarded-client-cert, too.",
            rich_help_panel=_UPSTREAMS,
        ),
    ] = None,
    ops: OpsOption = None,
    certificate_header: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="The clients' certificates come in a header: nginx, haproxy, caddy, traefik, client-cert or xfcc.",
            rich_help_panel=_FRONT,
        ),
    ] = None,
    trusted_hop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR|unix[,spiffe=ID]",
            help="A proxy that may send it; nobody else is served. May be repeated.",
            rich_help_panel=_FRONT,
        ),
    ] = None,
    proxy_verified: Annotated[
        str | None,
        typer.Option(
            metavar="TRUST",
            help="Such proxies have verified their clients for this trust entry; needs unix or spiffe=.",
            rich_help_panel=_FRONT,
        ),
    ] = None,
    balancer: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="A proxy that appends to X-Forwarded-For.", rich_help_panel=_FRONT),
    ] = None,
    tls_min: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The least version of TLS: 1.2 or 1.3; 1.2 if left out.")
    ] = None,
    proxy_protocol: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR|unix", help="A balancer that begins each connection with a PROXY v2 header."),
    ] = None,
    max_connections: Annotated[
        str | None, typer.Option(metavar="N", help="Connections at one time.", rich_help_panel=_BOUNDS)
    ] = None,
    max_connections_per_address: Annotated[
        str | None, typer.Option(metavar="N", help="Connections of one address.", rich_help_panel=_BOUNDS)
    ] = None,
    max_body_bytes: Annotated[
        str | None, typer.Option(metavar="N", help="Bytes of one request body.", rich_help_panel=_BOUNDS)
    ] = None,
    idle_seconds: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="For a connection without request.", rich_help_panel=_BOUNDS)
    ] = None,
    max_connection_seconds: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="After which a connection ends.", rich_help_panel=_BOUNDS),
    ] = None,
    workers: WorkersOption = None,
    decision_log: DecisionLogOption = None,
    observe: ObserveOption = None,
    drain_seconds: DrainOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    print_config: PrintConfigOption = False,
) -> ExitCode:
    """Terminate mTLS, judge every request, and forward what is allowed, until SIGTERM.

    Each setting is read from its flag, else from PEERGATE_<NAME>, else from the file.
    A policy with problems ends nothing: the gateway runs, is not ready, and denies everything.
    It speaks HTTP/1.1 and WebSocket; for HTTP/2 and gRPC put Envoy in front of `peergate extauth serve`.
    """
    from peergate.commands import gateway_serve as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "policy": policy,
        "shadow_policy": shadow_policy,
        "listen": listen,
        "cert": cert,
        "key": key,
        "upstream": upstream,
        "upstream_ca": upstream_ca,
        "upstream_cert": upstream_cert,
        "upstream_key": upstream_key,
        "upstream_client_cert_chain": upstream_client_cert_chain,
        "upstream_xfcc": upstream_xfcc,
        "ops": ops,
        "certificate_header": certificate_header,
        "trusted_hop": trusted_hop,
        "proxy_verified": proxy_verified,
        "balancer": balancer,
        "tls_min": tls_min,
        "proxy_protocol": proxy_protocol,
        "max_connections": max_connections,
        "max_connections_per_address": max_connections_per_address,
        "max_body_bytes": max_body_bytes,
        "idle_seconds": idle_seconds,
        "max_connection_seconds": max_connection_seconds,
        "workers": workers,
        "decision_log": decision_log,
        "observe": observe,
        "drain_seconds": drain_seconds,
        "log_format": log_format,
        "log_level": log_level,
    }
    return command.gateway_serve(flags, config, print_only=print_config)


@gateway_app.command("forward-auth")
def forward_auth(
    proxy: Annotated[
        str | None, typer.Option(metavar="PROXY", help="Who asks: nginx, haproxy, caddy or traefik.")
    ] = None,
    policy: PolicyOption = None,
    shadow_policy: ShadowPolicyOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where the proxy asks; unix:/path is a socket.")
    ] = None,
    trusted_hop: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR|unix[,spiffe=ID]", help="The proxies that may ask. May be repeated."),
    ] = None,
    proxy_verified: Annotated[
        str | None,
        typer.Option(
            metavar="TRUST",
            help="Such proxies have verified their clients for this trust entry; needs unix or spiffe=.",
        ),
    ] = None,
    seen_headers: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,NAME", help="Headers of clients that the proxy passes on to this listener."),
    ] = None,
    cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Certificate chain of the listener, PEM; plain HTTP without.")
    ] = None,
    key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    ops: OpsOption = None,
    workers: WorkersOption = None,
    decision_log: DecisionLogOption = None,
    observe: ObserveOption = None,
    drain_seconds: DrainOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    print_config: PrintConfigOption = False,
) -> ExitCode:
    """Answer a proxy that asks about each of its requests, until SIGTERM.

    nginx auth_request, Caddy forward_auth, Traefik ForwardAuth and HAProxy with our Lua action; deploy/ has a
    configuration for each, which goes together with what --proxy says.
    Each setting is read from its flag, else from PEERGATE_<NAME>, else from the file.
    """
    from peergate.commands import forward_auth as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "proxy": proxy,
        "policy": policy,
        "shadow_policy": shadow_policy,
        "listen": listen,
        "trusted_hop": trusted_hop,
        "proxy_verified": proxy_verified,
        "seen_headers": seen_headers,
        "cert": cert,
        "key": key,
        "ops": ops,
        "workers": workers,
        "decision_log": decision_log,
        "observe": observe,
        "drain_seconds": drain_seconds,
        "log_format": log_format,
        "log_level": log_level,
    }
    return command.forward_auth(flags, config, print_only=print_config)
