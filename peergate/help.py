"""The help of a command: as the answer to `peergate help`, and, with exit code 2, where a command is missing."""

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout

import typer
from typer.core import TyperGroup

from peergate.errors import ArgumentError
from peergate.exit_code import ExitCode


def help_without_command(context: typer.Context) -> None:
    """The callback of a group of commands."""
    if context.invoked_subcommand is None:
        with redirect_stdout(sys.stderr):
            typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def help_of(context: typer.Context, words: Iterable[str]) -> str:
    """What `--help` prints behind `peergate WORDS`. Raises ArgumentError, or Typer's error if there is no such command.

    `context`: that of the command that asks.
    """
    place = context.find_root()
    for word in words:
        if not isinstance(place.command, TyperGroup):
            way = place.command_path.replace("peergate", "peergate help", 1)
            raise ArgumentError(f"{place.command_path} has no command {word!r}: write `{way}`")
        place.command.resolve_command(place, [word])  # refuses what is none, and says what may be meant
        place = typer.Context(place.command.commands[word], parent=place, info_name=word)
    return place.get_help()
