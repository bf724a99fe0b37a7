"""`peergate gateway serve`: settings from everywhere, then the service."""

import os
from collections.abc import Mapping

from gateway.configuration import GatewayConfiguration, settings_from_configuration
from peergate.exit_code import ExitCode
from runtime.settings import Given, configured


def gateway_serve(flags: Mapping[str, Given], file: str | None, *, print_only: bool) -> ExitCode:
    """Serve until SIGTERM or SIGINT; `print_only`: show what would be served with. Raises ConfigurationError."""
    found = configured(GatewayConfiguration, flags, os.environ, file)
    if print_only:
        settings_from_configuration(found.value)
        print(found.text(), end="")
        return ExitCode.FINE
    from gateway.serve import serve  # noqa: PLC0415 - the servers are loaded only to serve

    serve(found.value)
    return ExitCode.FINE
