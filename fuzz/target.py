"""A fuzz target: good inputs, and the law that every input made from them must keep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random


class Violation(Exception):  # noqa: N818 - a law that is broken, not an error of the harness
    """What broke the law, in words."""


Mutate = Callable[[Random, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """`check` raises for an input that breaks `law`, with `Violation` or whatever else the code under test lets out.

    `tokens` are pieces that mean something in this format; `mutate` knows the format and is used for some inputs
    instead of blind changes.
    """

    name: str
    law: str
    seeds: Sequence[bytes]
    check: Callable[[bytes], None]
    tokens: Sequence[bytes] = ()
    mutate: Mutate | None = None


def require(holds: bool, law: str) -> None:
    """Raise Violation unless `holds`."""
    if not holds:
        raise Violation(law)
