"""`peergate extauth serve`: settings from everywhere, then the service."""

import os
from collections.abc import Mapping

from extauth.configuration import ExtauthConfiguration, settings_from_configuration
from peergate.exit_code import ExitCode
from runtime.settings import Given, configured

_FILE_VARIABLE = "PEERGATE_CONFIG"


def extauth_serve(flags: Mapping[str, Given], file: str | None, *, print_only: bool) -> ExitCode:
    """Serve until SIGTERM or SIGINT; `print_only`: show what would be served with. Raises ConfigurationError."""
    found = configured(ExtauthConfiguration, flags, os.environ, file or os.environ.get(_FILE_VARIABLE) or None)
    if print_only:
        settings_from_configuration(found.value)
        print(found.text(), end="")
        return ExitCode.FINE
    from extauth.serve import serve  # noqa: PLC0415 - grpc and the servers are loaded only to serve

    serve(found.value)
    return ExitCode.FINE
