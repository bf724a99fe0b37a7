"""Arguments that are written as text and mean something else."""

from collections.abc import Callable
from time import time
from typing import TypeVar

from peergate.errors import ArgumentError
from policies.language.compiler.values import epoch_from_moment

T = TypeVar("T")


def read_argument(name: str, text: str, value_from_text: Callable[[str], T]) -> T:
    """The value of the argument called `name`. Raises ArgumentError if `text` is none."""
    try:
        return value_from_text(text)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}") from None


def asked_time(at: str | None) -> float:
    """The time that a question is about, epoch seconds: `--at`, or now. Raises ArgumentError."""
    return time() if at is None else read_argument("--at", at, epoch_from_moment)
