"""The `peergate` command: its commands, and how it ends.

Law kept here: whatever goes wrong is one line on standard error and an exit code of `ExitCode`, never a traceback. What
a command does stands in `peergate.commands`, which is loaded when it runs, so that `--help` costs nothing.
"""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from peergate.console import error_line
from peergate.doctor_cli import doctor
from peergate.errors import CommandError
from peergate.exit_code import ExitCode
from peergate.extauth_cli import extauth_app
from peergate.formats import Format
from peergate.gateway_cli import gateway_app
from peergate.help import help_of, help_without_command
from peergate.policy_cli import policy_app
from peergate.up_cli import up
from peergate.xds_cli import xds_app
from runtime.errors import ConfigurationError


class _InOrder(TyperGroup):
    """Lists commands in the order in which people meet them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer.Context is the context
        """The names."""
        return sorted(self.commands, key=_ORDER.index)


_ORDER = ("up", "policy", "extauth", "gateway", "xds", "doctor", "demo", "version", "help")

app = typer.Typer(
    cls=_InOrder,
    name="peergate",
    help="Decides which certificate may call which route.",
    context_settings={"help_option_names": ["--help", "-h"]},
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(policy_app, name="policy")
app.add_typer(extauth_app, name="extauth")
app.add_typer(gateway_app, name="gateway")
app.add_typer(xds_app, name="xds")
app.command()(doctor)
app.command()(up)


def _print_version(asked: bool) -> None:
    if asked:
        version()
        raise typer.Exit(ExitCode.FINE)


@app.callback(invoke_without_command=True)
def peergate(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Decides which certificate may call which route."""
    help_without_command(context)


@app.command()
def demo(
    gateway: Annotated[bool, typer.Option("--gateway", help="Show the gateway instead of an Envoy.")] = False,
    no_native: Annotated[
        bool, typer.Option("--no-native", help="For comparison: an Envoy that asks about every request.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up, and print curl lines to try.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens on 127.0.0.1; 0 is any free one.")] = 0,
) -> ExitCode:
    """Show it: a throw-away PKI, Envoy or the gateway, and a tour of allowed and denied calls with reasons."""
    from peergate.demo.run import run_demo  # noqa: PLC0415 - each command loads only what it needs

    if gateway and no_native:
        raise typer.BadParameter("the gateway has no Envoy: leave out --gateway or --no-native")
    return ExitCode(run_demo(gateway=gateway, native=not no_native, keep=keep, port=port))


@app.command()
def version(form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.TEXT) -> ExitCode:
    """Print the version."""
    from peergate.version import version as installed  # noqa: PLC0415 - looking it up takes time

    print(f"peergate {installed()}" if form is Format.TEXT else json.dumps({"version": installed()}))
    return ExitCode.FINE


@app.command("help")
def print_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="Such as policy check.", show_default=False)
    ] = None,
) -> ExitCode:
    """Print this help, or that of a command, as its --help does."""
    print(help_of(context, words or ()))
    return ExitCode.FINE


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # It was closed (`>&-`) before we started.
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open as long as the process
        elif isinstance(stream, TextIOWrapper):
            # A character that the terminal's encoding lacks must not end a command.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> ExitCode:
    """Run one command line; whatever happens, the answer is an exit code."""
    try:
        code = _answered(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        code = ExitCode.BROKEN_PIPE
        _forget_output()
    except OSError as error:
        error_line(f"{error.filename or 'input or output'}: {error.strerror}")
        code = ExitCode.INPUT_OUTPUT
        _forget_output()
    return code


def _answered(arguments: Sequence[str]) -> ExitCode:
    try:
        answer = app(list(arguments), prog_name="peergate", standalone_mode=False)
    except CommandError as problem:
        error_line(str(problem))
        return problem.code
    except ConfigurationError as error:
        error_line(str(error))
        return ExitCode.CONFIGURATION
    except typer.TyperException as error:
        error_line(_usage(error))
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except SystemExit as error:
        # Typer leaves like this, and in no other way, when the reader of standard output has gone.
        raise BrokenPipeError from error
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence against a traceback
        error_line(f"this is a bug of peergate: {type(error).__name__}: {error}")
        return ExitCode.INTERNAL
    return ExitCode(answer or ExitCode.FINE)


def _forget_output() -> None:
    """What is still buffered cannot be written; it must not fail again when the interpreter ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: typer.TyperException) -> str:
    """What is wrong with the command line, and where to read on."""
    context: typer.Context | None = getattr(error, "ctx", None)
    command = "peergate" if context is None else context.command_path
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]} (see {command} --help)"
