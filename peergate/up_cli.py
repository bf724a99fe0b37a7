"""`peergate up`: how this command is called."""

from typing import Annotated

import typer

from peergate.exit_code import ExitCode
from peergate.serve_options import (
    ConfigOption,
    DecisionLogOption,
    DrainOption,
    LogFormatOption,
    LogLevelOption,
    ObserveOption,
    OpsOption,
    PrintConfigOption,
    ShadowPolicyOption,
)


def up(
    policy: Annotated[str | None, typer.Argument(metavar="POLICY", help="A policy file or folder.")] = None,
    shadow_policy: ShadowPolicyOption = None,
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where clients connect, with mTLS.")] = None,
    cert: Annotated[str | None, typer.Option(metavar="FILE", help="Certificate chain of the listener, PEM.")] = None,
    key: Annotated[str | None, typer.Option(metavar="FILE", help="Its key, PEM.")] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Where requests go that may pass: http://HOST:PORT.")
    ] = None,
    native: Annotated[
        bool | None, typer.Option("--native/--no-native", help="Decide inside Envoy what Envoy can say.")
    ] = None,
    workers: Annotated[str | None, typer.Option("--workers", metavar="N", help="Threads of Envoy.")] = None,
    ops: OpsOption = None,
    decision_log: DecisionLogOption = None,
    observe: ObserveOption = None,
    drain_seconds: DrainOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
    config: ConfigOption = None,
    print_config: PrintConfigOption = False,
) -> ExitCode:
    """Run everything on one machine: Envoy with mTLS, the policy inside it, and peergate for what Envoy cannot say.

    Policy, certificates and CRLs are followed as they change.
    """
    from peergate.commands import up as command  # noqa: PLC0415 - each command loads only what it needs

    flags = {
        "policy": policy,
        "shadow_policy": shadow_policy,
        "listen": listen,
        "cert": cert,
        "key": key,
        "upstream": upstream,
        "native": native,
        "workers": workers,
        "ops": ops,
        "decision_log": decision_log,
        "observe": observe,
        "drain_seconds": drain_seconds,
        "log_format": log_format,
        "log_level": log_level,
    }
    return command.up(flags, config, print_only=print_config)
