"""What can go wrong with an Envoy of ours.

EnvoyError
├── EnvoyMissingError   there is no Envoy binary to run
└── EnvoyFailedError    Envoy refused its configuration, could not bind, or ended
"""


class EnvoyError(RuntimeError):
    """Envoy cannot be used. The message is one line for people and says what to do."""


class EnvoyMissingError(EnvoyError):
    """No Envoy binary was found."""


class EnvoyFailedError(EnvoyError):
    """Envoy did not start, or ended."""
