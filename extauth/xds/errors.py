"""What can go wrong while configuration is delivered.

- XdsError
  - ResourceError: what a policy compiles to cannot be delivered as a whole.
  - StreamRefusedError: a stream is not served, or ends here: whoever opened it is told why.
"""


class XdsError(Exception):
    """The family."""


class ResourceError(XdsError, ValueError):
    """Resources that must not be delivered."""


class StreamRefusedError(XdsError):
    """The end of a stream. `code`: the name of its gRPC status, such as `INVALID_ARGUMENT`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
