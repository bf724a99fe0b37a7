"""A fresh process that loads one policy: `python -m bench.load_probe time|memory POLICY [ROUNDS]`, answered as JSON.

Fresh, so that neither the heap nor the caches of another measurement count.
"""

import json
import re
import sys
from pathlib import Path
from time import perf_counter

import yaml

from bench.scenario import loaded_policy


def times(path: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of `yaml.compose` and of a whole load of the same text, in turn."""
    text = path.read_text(encoding="utf-8")
    found: dict[str, list[float]] = {"compose": [], "load": []}
    for _ in range(rounds):
        started = perf_counter()
        yaml.compose(text, Loader=yaml.CSafeLoader)
        found["compose"].append(perf_counter() - started)
        started = perf_counter()
        loaded_policy(path)
        found["load"].append(perf_counter() - started)
    return found


def peak_memory() -> float:
    """MiB that were resident at most. Not `ru_maxrss`: that one remembers the process before `exec`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kibibytes = re.search(r"VmHWM:\s+(\d+) kB", status)
    if kibibytes is None:
        raise OSError("/proc/self/status has no VmHWM")
    return int(kibibytes[1]) / 1024


def main(arguments: list[str]) -> None:
    """Measure, and print one JSON object."""
    what, path = arguments[0], Path(arguments[1])
    if what == "time":
        print(json.dumps(times(path, int(arguments[2]))))
    else:
        policy = loaded_policy(path)
        print(json.dumps({"rules": len(policy.rule_ids), "mebibytes": peak_memory()}))


if __name__ == "__main__":
    main(sys.argv[1:])
