"""`peergate extauth …`: how these commands are called.

Values are handed on as they were typed: `runtime.settings` merges them with variables and file, and reads them. So
every mistake in them, wherever it was made, ends the start in the same way: one line, exit 78.
"""

from typing import Annotated

import typer

from peergate.exit_code import ExitCode
from peergate.help import help_without_command

extauth_app = typer.Typer(
    help="The ext_authz service for Envoy and Istio.", callback=help_without_command, invoke_without_command=True
)

_TLS = "TLS of the listeners"
_RUNNING = "Running"
_CONFIGURATION = "Configuration"


@extauth_app.command()
def serve(
    policy: Annotated[str | None, typer.Option(metavar="POLICY", help="A policy file or folder.")] = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to serve gRPC; unix:/path is a socket.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve HTTP ext_authz there too; needs --trusted-hop.")
    ] = None,
    ops: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics there.")
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
    workers: Annotated[
        str | None,
        typer.Option(metavar="N", help="Processes that share the port; 1 if left out.", rich_help_panel=_RUNNING),
    ] = None,
    decision_log: Annotated[
        str | None,
        typer.Option(metavar="FILE|-|off", help="Where decision records go; - if left out.", rich_help_panel=_RUNNING),
    ] = None,
    observe: Annotated[
        bool | None,
        typer.Option(
            "--observe/--no-observe", help="Decide and record, but permit everything.", rich_help_panel=_RUNNING
        ),
    ] = None,
    drain_seconds: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="For requests in flight after SIGTERM.", rich_help_panel=_RUNNING),
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Of the service log: logfmt or json.", rich_help_panel=_RUNNING)
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            metavar="LEVEL", help="Of the service log: debug, info, warning or error.", rich_help_panel=_RUNNING
        ),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A YAML file with any of these settings.", rich_help_panel=_CONFIGURATION),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the result and end.", rich_help_panel=_CONFIGURATION)
    ] = False,
) -> ExitCode:
    """Answer Envoy's ext_authz checks until SIGTERM.

    Each setting is read from its flag, else from PEERGATE_<NAME>, else from the file.
    A policy with problems ends nothing: the service runs, is not ready, and denies everything.
    """
    from peergate.commands import extauth_serve as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "policy": policy,
        "listen": listen,
        "http": http,
        "ops": ops,
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
