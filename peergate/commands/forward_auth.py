"""`peergate gateway forward-auth`: settings from everywhere, then the service."""

import os
from collections.abc import Mapping

from gateway.forward_auth.configuration import ForwardAuthConfiguration, settings_from_configuration
from peergate.exit_code import ExitCode
from runtime.settings import Given, configured


def forward_auth(flags: Mapping[str, Given], file: str | None, *, print_only: bool) -> ExitCode:
    """Serve until SIGTERM or SIGINT; `print_only`: show what would be served with. Raises ConfigurationError."""
    found = configured(ForwardAuthConfiguration, flags, os.environ, file)
    if print_only:
        settings_from_configuration(found.value)
        print(found.text(), end="")
        return ExitCode.FINE
    from gateway.forward_auth.serve import serve  # noqa: PLC0415 - the servers are loaded only to serve

    serve(found.value)
    return ExitCode.FINE
