"""Certificates made to hurt whoever reads them; the number of one decides its every byte."""

from collections.abc import Callable, Mapping
from random import Random

from tests.peer.hostile_chains import (
    constrained_tangles,
    deep_chains,
    heavy_company,
    odd_company,
    slow_tangles,
    tangles,
)
from tests.peer.hostile_der import ANCHOR, Hostile
from tests.peer.hostile_leaves import (
    extension_soup,
    flipped,
    many_names,
    noise,
    odd_keys,
    odd_numbers,
    odd_subjects,
    rebuilt,
    spoiled_names,
    torn,
)

__all__ = ["ANCHOR", "FAMILIES", "Hostile", "hostile"]

#: Every family, and how many of a hundred are of it.
FAMILIES: Mapping[Callable[[Random], Hostile], int] = {
    flipped: 12,
    torn: 10,
    noise: 4,
    rebuilt: 22,
    spoiled_names: 8,
    many_names: 4,
    odd_subjects: 6,
    extension_soup: 10,
    odd_keys: 6,
    odd_numbers: 4,
    deep_chains: 3,
    tangles: 3,
    slow_tangles: 1,
    constrained_tangles: 2,
    odd_company: 3,
    heavy_company: 2,
}
_SCHEDULE = [family for family, share in FAMILIES.items() for _ in range(share)]


def hostile(number: int) -> tuple[str, Hostile]:
    """Certificate `number` of as many as one wants, and the name of its family."""
    family = _SCHEDULE[number * 37 % len(_SCHEDULE)]
    return family.__name__, family(Random(number))
