"""`serve`: the ext_authz service as a whole, until a signal ends it."""

import os
from functools import partial

from extauth.configuration import ExtauthConfiguration, settings_from_configuration
from runtime.run import run_service

#: The thread that waits for calls also reads the sockets, as gRPC had it before its event engine: one change of threads
#: less for each call, which is a tenth of it.
POLLING_THREAD_READS = "-event_engine_listener"


def serve(configuration: ExtauthConfiguration) -> None:
    """Serve ext_authz until SIGTERM or SIGINT; returns after the drain. Call it from the main thread.

    Raises ConfigurationError, before anything listens.
    """
    settings = settings_from_configuration(configuration)
    os.environ.setdefault("GRPC_EXPERIMENTS", POLLING_THREAD_READS)
    from extauth.front import ExtauthFront  # noqa: PLC0415 - gRPC reads the variable when it is imported

    run_service(configuration, partial(ExtauthFront, settings), settings.addresses)
