"""`serve`: the gateway as a whole, until a signal ends it."""

from functools import partial

from gateway.configuration import GatewayConfiguration, settings_from_configuration
from gateway.front import GatewayFront
from runtime.run import run_service


def serve(configuration: GatewayConfiguration) -> None:
    """Serve until SIGTERM or SIGINT; returns after the drain. Call it from the main thread.

    Raises ConfigurationError, before anything listens.
    """
    settings = settings_from_configuration(configuration)
    run_service(configuration, partial(GatewayFront, settings), (settings.listener.listen,))
