"""`peergate up`: settings from everywhere, then everything on one machine."""

import os
from collections.abc import Mapping

from extauth.serve import POLLING_THREAD_READS
from peergate.exit_code import ExitCode
from peergate.up.configuration import UpConfiguration, settings_from_configuration
from runtime.settings import Given, configured

_FILE_VARIABLE = "PEERGATE_CONFIG"


def up(flags: Mapping[str, Given], file: str | None, *, print_only: bool) -> ExitCode:
    """Serve until SIGTERM or SIGINT; `print_only`: show what would be served with. Raises ConfigurationError."""
    file = file or os.environ.get(_FILE_VARIABLE) or None
    found = configured(UpConfiguration, flags, os.environ, file, arguments=("policy",))
    if print_only:
        settings_from_configuration(found.value)
        print(found.text(), end="")
        return ExitCode.FINE
    os.environ.setdefault("GRPC_EXPERIMENTS", POLLING_THREAD_READS)
    from peergate.up.run import run_up  # noqa: PLC0415 - grpc reads the variable when it is imported

    run_up(found.value)
    return ExitCode.FINE
