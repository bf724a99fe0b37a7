"""The options that every serve command has (`runtime.configuration.ServeConfiguration`), declared once.

Values are handed on as they were typed: `runtime.settings` merges them with variables and file, and reads them. So
every mistake in them, wherever it was made, ends the start in the same way: one line, exit 78.
"""

from typing import Annotated

import typer

_RUNNING = "Running"
_CONFIGURATION = "Configuration"

PolicyOption = Annotated[str | None, typer.Option("--policy", metavar="POLICY", help="A policy file or folder.")]
ShadowPolicyOption = Annotated[
    str | None,
    typer.Option(
        "--shadow-policy",
        metavar="NEXT",
        help="The next policy: asked beside the other and compared, never enforced.",
    ),
]
OpsOption = Annotated[
    str | None, typer.Option("--ops", metavar="HOST:PORT", help="Serve /healthz, /readyz and /metrics there.")
]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        "--workers", metavar="N", help="Processes that share the port; 1 if left out.", rich_help_panel=_RUNNING
    ),
]
DecisionLogOption = Annotated[
    str | None,
    typer.Option(
        "--decision-log",
        metavar="FILE|-|off",
        help="Where decision records go; - if left out.",
        rich_help_panel=_RUNNING,
    ),
]
ObserveOption = Annotated[
    bool | None,
    typer.Option(
        "--observe/--no-observe",
        help="Decide and record, but permit every request; who fails the TLS handshake is refused all the same.",
        rich_help_panel=_RUNNING,
    ),
]
DrainOption = Annotated[
    str | None,
    typer.Option(
        "--drain-seconds", metavar="SECONDS", help="For requests in flight after SIGTERM.", rich_help_panel=_RUNNING
    ),
]
LogFormatOption = Annotated[
    str | None,
    typer.Option(
        "--log-format", metavar="FORMAT", help="Of the service log: logfmt or json.", rich_help_panel=_RUNNING
    ),
]
LogLevelOption = Annotated[
    str | None,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        help="Of the service log: debug, info, warning or error.",
        rich_help_panel=_RUNNING,
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="A YAML file with any of these settings.", rich_help_panel=_CONFIGURATION
    ),
]
PrintConfigOption = Annotated[
    bool, typer.Option("--print-config", help="Print the result and end.", rich_help_panel=_CONFIGURATION)
]
