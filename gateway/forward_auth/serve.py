"""`serve`: the forward-auth service as a whole, until a signal ends it."""

from functools import partial

from gateway.forward_auth.configuration import ForwardAuthConfiguration, settings_from_configuration
from gateway.forward_auth.front import ForwardAuthFront
from runtime.run import run_service


def serve(configuration: ForwardAuthConfiguration) -> None:
    """Answer proxies until SIGTERM or SIGINT; returns after the drain. Call it from the main thread.

    Raises ConfigurationError, before anything listens.
    """
    settings = settings_from_configuration(configuration)
    run_service(configuration, partial(ForwardAuthFront, settings), (settings.listener.listen,))
