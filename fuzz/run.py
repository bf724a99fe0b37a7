"""Feeds a target until its time is over, and makes what it finds small enough to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from time import monotonic, thread_time

from fuzz.mutation import mutated
from fuzz.target import Target

#: Seconds of processor time after which one input counts as an attack by itself.
SLOW_SECONDS = 2.0
#: Tries to make a finding smaller.
_SHRINK_TRIES = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that breaks the target's law. `number`: which input of the seed it was."""

    target: str
    law: str
    number: int
    failure: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target."""

    target: Target
    inputs: int
    seconds: float
    finding: Finding | None


def fuzzed(target: Target, seed: int, seconds: float, most: int | None = None) -> Outcome:
    """Check inputs for `seconds`, at most `most` of them, or until one breaks the law."""
    started = monotonic()
    count = 0
    for number, data in inputs(target, seed):
        if monotonic() - started > seconds or number == most:
            break
        count += 1
        failure = failure_of(target, data)
        if failure is not None:
            small = shrunk(target, data, failure)
            finding = Finding(target.name, target.law, number, failure_of(target, small) or failure, small)
            return Outcome(target, count, monotonic() - started, finding)
    return Outcome(target, count, monotonic() - started, None)


def inputs(target: Target, seed: int) -> Iterator[tuple[int, bytes]]:
    """Every seed as it is, then mutations without end; input n is always the same for one seed."""
    yield from enumerate(target.seeds)
    number = len(target.seeds)
    while True:
        random = Random(f"{target.name} {seed} {number}")
        if target.mutate is not None and random.random() < 0.5:
            yield number, target.mutate(random, random.choice(target.seeds))
        else:
            yield number, mutated(random, target.seeds, target.tokens)
        number += 1


def failure_of(target: Target, data: bytes) -> str | None:
    """How `data` breaks the law, None if it does not."""
    started = thread_time()
    try:
        target.check(data)
    except Exception as error:  # noqa: BLE001 - whatever comes out is the finding
        return f"{type(error).__name__}: {error}"
    taken = thread_time() - started
    return f"it took {taken:.1f} s" if taken > SLOW_SECONDS else None


def shrunk(target: Target, data: bytes, failure: str) -> bytes:
    """A smaller input that fails with the same kind of failure."""
    kind = failure.partition(":")[0]
    if kind.startswith("it took"):
        return data
    size, tries = len(data) // 2, 0
    while size and tries < _SHRINK_TRIES:
        start = 0
        while start < len(data) and tries < _SHRINK_TRIES:
            tries += 1
            smaller = data[:start] + data[start + size :]
            if (failure_of(target, smaller) or "").partition(":")[0] == kind:
                data = smaller
            else:
                start += size
        size //= 2
    return data
