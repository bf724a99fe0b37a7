"""What is printed when a command is missing: the help, and exit code 2, as nothing was done."""

import sys
from contextlib import redirect_stdout

import typer

from peergate.exit_code import ExitCode


def help_without_command(context: typer.Context) -> None:
    """The callback of a group of commands."""
    if context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):
            typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
