"""What can go wrong while configuration is made and delivered.

- XdsError
  - EncodeError: JSON is no message of the schema; it would not mean to Envoy what it says.
  - ResourceError: what a policy compiles to cannot be delivered as a whole.
  - StreamRefusedError: a stream is not served, or ends here: whoever opened it is told why.
"""


class XdsError(Exception):
    """The family."""


class EncodeError(XdsError, ValueError):
    """JSON that cannot be encoded. `place`: where in it, such as `typed_config.mutations.request_mutations[3]`."""

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.place = place

    def inside(self, place: str) -> "EncodeError":
        """The same, seen from one level further out."""
        dot = "." if self.place and not self.place.startswith("[") else ""
        return EncodeError(self.problem, f"{place}{dot}{self.place}")


class ResourceError(XdsError, ValueError):
    """Resources that must not be delivered."""


class StreamRefusedError(XdsError):
    """The end of a stream. `code`: the name of its gRPC status, such as `INVALID_ARGUMENT`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
