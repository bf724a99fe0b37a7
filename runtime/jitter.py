"""Chance for the moments at which background work is done, of its own: nobody else's sequence of numbers changes."""

from collections.abc import Callable
from random import SystemRandom

#: A number from 0 to 1, drawn anew at each call. Thread-safe.
JITTER: Callable[[], float] = SystemRandom().random
