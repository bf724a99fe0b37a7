"""`peergate doctor`: how it is called."""

from typing import Annotated

import typer

from peergate.exit_code import ExitCode
from peergate.formats import Format


def doctor(
    cert: Annotated[
        str,
        typer.Option("--cert", metavar="FILE", help="PEM (leaf first, then its chain) or DER.", show_default=False),
    ],
    chain: Annotated[
        str | None, typer.Option("--chain", metavar="FILE", help="CA certificates that the client sends along.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="POLICY", help="Ask the trust entries of this policy.")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339, such as 2026-12-01T00:00:00Z.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to write the answer.")] = Format.TEXT,
) -> ExitCode:
    """Say why a certificate is refused, check by check, and what to do about it.

    Without --policy, only what the certificate can fail at by itself.
    Exit code: 0 if nothing refuses it, 1 if it is refused.
    """
    from peergate.commands import doctor as command  # noqa: PLC0415 - each command loads only what it needs

    return command.doctor(cert, chain, policy, at, form)
