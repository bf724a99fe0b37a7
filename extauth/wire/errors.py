"""What can go wrong while configuration is encoded.

- EncodeError: JSON is no message of the schema; it would not mean to Envoy what it says.
"""


class EncodeError(ValueError):
    """JSON that cannot be encoded. `place`: where in it, such as `typed_config.mutations.request_mutations[3]`."""

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.place = place

    def inside(self, place: str) -> "EncodeError":
        """The same, seen from one level further out."""
        dot = "." if self.place and not self.place.startswith("[") else ""
        return EncodeError(self.problem, f"{place}{dot}{self.place}")
