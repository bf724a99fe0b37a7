"""Batches of random scenarios, each through an Envoy of its own, and what differs made small."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic

from fuzz.native.cases import Scenario, Seed
from fuzz.native.compare import Outcome, compared
from fuzz.native.grammar import scenario
from fuzz.native.world import World

#: Where seeds are kept.
SEEDS = Path(__file__).parents[1] / "seeds" / "native"
#: Scenarios of one Envoy; some of their policies have problems.
BATCH = 100


def fuzzed(binary: Path, seed: int, cases: int, seconds: float) -> Iterator[Outcome]:
    """What became of each batch, until `cases` or `seconds` are over. The same seed asks the same, with other keys."""
    world, started, done, batch = World(), monotonic(), 0, 0
    while done < cases and monotonic() - started < seconds:
        random = Random(f"{seed} {batch}")
        outcome = _compared(binary, world, [scenario(random) for _ in range(BATCH)])
        # What does not differ alone is kept as it is.
        outcome.differences = [reduced(binary, world, found) or found for found in outcome.differences]
        done += outcome.cases
        batch += 1
        yield outcome


def replayed(binary: Path, seeds: list[Seed]) -> Outcome:
    """All of them through one Envoy."""
    return _compared(binary, World(), [seed.scenario for seed in seeds])


def reduced(binary: Path, world: World, seed: Seed) -> Seed | None:
    """The same difference with fewer rules and headers; None if it does not differ alone."""
    return smaller(seed, lambda candidate: next(iter(_compared(binary, world, [candidate.scenario]).differences), None))


def smaller(seed: Seed, differing: Callable[[Seed], Seed | None]) -> Seed | None:
    """`seed` without what is not needed. `differing`: the difference of a candidate, None if there is none."""
    found = differing(seed)
    for number in reversed(range(len(seed.rules))):
        if found is not None and len(found.rules) > 1:
            rules = found.rules[:number] + found.rules[number + 1 :]
            found = differing(replace(found, rules=rules)) or found
    if found is not None and found.question.headers:
        found = differing(replace(found, question=replace(found.question, headers=()))) or found
    return found


def kept(seed: Seed, folder: Path = SEEDS) -> Path:
    """Write `seed` where tests find it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{sha256(seed.text.encode()).hexdigest()[:12]}.json"
    path.write_text(seed.text, encoding="utf-8")
    return path


def seeds(folder: Path = SEEDS) -> list[Seed]:
    """Every seed that is kept."""
    return [Seed.from_text(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def _compared(binary: Path, world: World, scenarios: list[Scenario]) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="peergate-fuzz-") as folder:
        return compared(binary, world, scenarios, Path(folder))
