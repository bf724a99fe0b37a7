"""`peergate extauth …`: how these commands are called."""

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

extauth_app = typer.Typer(
    help="The ext_authz service for Envoy and Istio.", callback=help_without_command, invoke_without_command=True
)

_TLS = "TLS of the listeners"


@extauth_app.command()
def serve(
    policy: PolicyOption = None,
    shadow_policy: ShadowPolicyOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve gRPC; unix:/path is a socket.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve HTTP ext_authz there too; needs --trusted-hop.")
    ] = None,
    ops: OpsOption = None,
    proxy_verified: Annotated[
        str | None,
        typer.Option(
            metavar="TRUST",
            help="Whoever asks has verified the callers for this trust entry; needs unix sockets or --tls-client-ca.",
        ),
    ] = None,
    trusted_hop: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR[,spiffe=ID]", help="A proxy whose forwarded headers are believed."),
    ] = None,
    balancer: Annotated[
        list[str] | None,
        typer.Option(metavar="CIDR", help="A load balancer whose X-Forwarded-For entry is believed."),
    ] = None,
    seen_headers: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,NAME", help="Request headers that Envoy shows over HTTP (allowed_headers)."),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.", rich_help_panel=_TLS)
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.", rich_help_panel=_TLS)] = None,
    tls_client_ca: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Require client certificates of these CAs.", rich_help_panel=_TLS),
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
    """Answer Envoy's ext_authz checks until SIGTERM.

    Each setting is read from its flag, else from PEERGATE_<NAME>, else from the file.
    A policy with problems ends nothing: the service runs, is not ready, and denies everything.
    """
    from peergate.commands import extauth_serve as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "policy": policy,
        "shadow_policy": shadow_policy,
        "listen": listen,
        "http": http,
        "ops": ops,
        "proxy_verified": proxy_verified,
        "trusted_hop": trusted_hop,
        "balancer": balancer,
        "seen_headers": seen_headers,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "tls_client_ca": tls_client_ca,
        "workers": workers,
        "decision_log": decision_log,
        "observe": observe,
        "drain_seconds": drain_seconds,
        "log_format": log_format,
        "log_level": log_level,
    }
    return command.extauth_serve(flags, config, print_only=print_config)
