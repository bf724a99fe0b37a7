"""`peergate xds …`: how these commands are called."""

from typing import Annotated

import typer

from peergate.exit_code import ExitCode
from peergate.help import help_without_command
from peergate.serve_options import (
    ConfigOption,
    DecisionLogOption,
    LogFormatOption,
    LogLevelOption,
    PolicyOption,
    PrintConfigOption,
)

xds_app = typer.Typer(
    help="The policy, delivered to a fleet of Envoys.", callback=help_without_command, invoke_without_command=True
)

_SERVICE = "The discovery service"
_LISTENER = "Its listener"


@xds_app.command()
def serve(
    policy: PolicyOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where Envoys connect, over mutual TLS.")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    ops: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Serve /healthz, /readyz, /metrics and /fleet there.")
    ] = None,
    listener_port: Annotated[
        list[str] | None,
        typer.Option(metavar="PORT", help="A port that clients of the Envoys write behind a host; may be repeated."),
    ] = None,
    decision_log: DecisionLogOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    print_config: PrintConfigOption = False,
) -> ExitCode:
    """Deliver the policy to Envoys until SIGTERM (ECDS and SDS, over ADS).

    Each setting is read from its flag, else from PEERGATE_<NAME>, else from the file.
    The policy says which Envoys may have it, and a bad change of it leaves the fleet as it is.
    """
    from peergate.commands import xds_serve as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "policy": policy,
        "listen": listen,
        "tls_cert": tls_cert,
        "tls_key": tls_key,
        "ops": ops,
        "listener_port": listener_port,
        "decision_log": decision_log,
        "log_format": log_format,
        "log_level": log_level,
    }
    return command.xds_serve(flags, config, print_only=print_config)


@xds_app.command()
def bootstrap(
    node: Annotated[str, typer.Option(metavar="NAME", help="How the Envoy calls itself; no other has this name.")],
    server: Annotated[
        list[str], typer.Option(metavar="HOST:PORT", help="A replica; may be repeated.", rich_help_panel=_SERVICE)
    ],
    server_ca: Annotated[
        str, typer.Option(metavar="FILE", help="PEM of the CAs of its certificate.", rich_help_panel=_SERVICE)
    ],
    server_name: Annotated[
        str, typer.Option(metavar="NAME", help="The DNS name in its certificate.", rich_help_panel=_SERVICE)
    ],
    client_cert: Annotated[
        str, typer.Option(metavar="FILE", help="The Envoy's own certificate chain.", rich_help_panel=_SERVICE)
    ],
    client_key: Annotated[str, typer.Option(metavar="FILE", help="Its key.", rich_help_panel=_SERVICE)],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the Envoy listens.", rich_help_panel=_LISTENER)
    ],
    cert: Annotated[
        str, typer.Option(metavar="FILE", help="The certificate chain of the listener.", rich_help_panel=_LISTENER)
    ],
    key: Annotated[str, typer.Option(metavar="FILE", help="Its key.", rich_help_panel=_LISTENER)],
    upstream: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where requests go; unix:/path too.", rich_help_panel=_LISTENER)
    ],
    extauth: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="peergate extauth, asked for the rest; unix:/path too.")
    ],
    cluster: Annotated[str, typer.Option(metavar="NAME", help="The group of the Envoy.")] = "peergate",
    trust: Annotated[
        str, typer.Option(metavar="SECRET", help="Whose clients are let in: trust (all entries) or trust/ENTRY.")
    ] = "trust",
    admin: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Envoy's admin interface; unix:/path too.")
    ] = "127.0.0.1:9901",
    access_log: Annotated[str | None, typer.Option(metavar="FILE", help="Where the Envoy logs requests.")] = None,
    unauthenticated: Annotated[
        bool, typer.Option("--unauthenticated", help="Let clients without a certificate through the handshake.")
    ] = False,
    delta: Annotated[bool, typer.Option("--delta", help="Use the delta form of the protocol.")] = False,
) -> ExitCode:
    """Print the configuration of an Envoy that gets its policy from the discovery service."""
    from peergate.commands.xds_bootstrap import Asked, xds_bootstrap  # noqa: PLC0415 - as above

    asked = Asked(
        node=node,
        cluster=cluster,
        servers=tuple(server),
        server_ca=server_ca,
        server_name=server_name,
        client_cert=client_cert,
        client_key=client_key,
        listen=listen,
        cert=cert,
        key=key,
        upstream=upstream,
        extauth=extauth,
        trust=trust,
        admin=admin,
        access_log=access_log,
        unauthenticated=unauthenticated,
        delta=delta,
    )
    return xds_bootstrap(asked)
