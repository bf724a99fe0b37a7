"""What it costs to load and to reload a large policy, each in a fresh process."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.figure import Bound, Figure, percentile, ratios
from bench.scenario import Mesh

PART = "load"
_MILLI = 1e3
#: Seconds after which a probe is taken for hung.
PROBE_SECONDS = 180
#: Milliseconds. Envoy waits 200 for an answer: a pause of half of that fails no request.
LONGEST_PAUSE = 100.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured. `quiet_seconds`: of requests without a reload, before each."""

    size: int = 10_000
    rounds: int = 5
    reloads: int = 5
    quiet_seconds: float = 2.0


def figures(settings: Settings | None = None) -> Iterator[Figure]:
    """Measure."""
    settings = settings or Settings()
    with TemporaryDirectory() as folder:
        policy = Mesh.new().write(Path(folder), settings.size)
        megabytes = policy.stat().st_size / 1e6
        yield from _times(policy, settings, f"{megabytes:.1f} MB of text")
        memory = _probe("load_probe", "memory", str(policy))
    yield Figure(PART, f"peak memory of loading {settings.size} rules", "MiB", (memory["mebibytes"],), Bound(400))
    yield from _reload(settings)


def _times(policy: Path, settings: Settings, note: str) -> Iterator[Figure]:
    found = _probe("load_probe", "time", str(policy), str(settings.rounds))
    size = settings.size
    yield Figure(PART, f"yaml.compose (C) of {size} rules", "s", tuple(found["compose"]), note=note)
    yield Figure(PART, f"text to PolicySet, {size} rules", "s", tuple(found["load"]))
    yield Figure(PART, "text to PolicySet : yaml.compose", "x", ratios(found["load"], found["compose"]), Bound(4))


def _reload(settings: Settings) -> Iterator[Figure]:
    found = _probe("reload_probe", str(settings.size), str(settings.reloads), str(settings.quiet_seconds))
    took = tuple(seconds for (seconds,) in found["took"])
    yield Figure(PART, f"file changed to {settings.size} rules in force", "s", took)
    for phase, name, bound in (
        ("quiet", "no reload", None),
        ("reload", f"reload of {settings.size} rules", Bound(LONGEST_PAUSE)),
    ):
        times = found[phase]
        note = f"{sum(map(len, times))} requests, one a millisecond"
        yield Figure(PART, f"a decision waits, {name}: median", "ms", _milliseconds(times, 0.5), note=note)
        yield Figure(PART, f"a decision waits, {name}: p99", "ms", _milliseconds(times, 0.99))
        yield Figure(PART, f"a decision waits, {name}: longest", "ms", _milliseconds(times, 1), bound)


def _milliseconds(times: Sequence[Sequence[float]], share: float) -> tuple[float, ...]:
    """The percentile of each time, in milliseconds."""
    return tuple(percentile(latencies, share) * _MILLI for latencies in times)


def _probe(module: str, *arguments: str) -> Any:
    """What a probe answers. Its errors go to our standard error. Raises CalledProcessError."""
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    finished = subprocess.run(command, stdout=subprocess.PIPE, timeout=PROBE_SECONDS, check=True)
    return json.loads(finished.stdout)
