"""`peergate xds serve`: settings from everywhere, then the service."""

import os
from collections.abc import Mapping

from extauth.xds.configuration import XdsConfiguration, settings_from_configuration
from peergate.exit_code import ExitCode
from runtime.settings import Given, configured

_FILE_VARIABLE = "PEERGATE_CONFIG"


def xds_serve(flags: Mapping[str, Given], file: str | None, *, print_only: bool) -> ExitCode:
    """Serve until SIGTERM or SIGINT; `print_only`: show what would be served with. Raises ConfigurationError."""
    found = configured(XdsConfiguration, flags, os.environ, file or os.environ.get(_FILE_VARIABLE) or None)
    settings = settings_from_configuration(found.value)
    if print_only:
        print(found.text(), end="")
        return ExitCode.FINE
    from extauth.xds.serve import serve  # noqa: PLC0415 - grpc is loaded only to serve

    serve(found.value, settings)
    return ExitCode.FINE
