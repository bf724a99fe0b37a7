"""`python -m fuzz.native [--cases N] [--seconds S] [--seed K]`, or `--again` to ask all seeds that are kept."""

import argparse
import os
import sys
from collections.abc import Sequence
from math import inf
from pathlib import Path
from time import monotonic

from fuzz.native.compare import Outcome
from fuzz.native.run import SEEDS, fuzzed, kept, replayed, seeds
from runtime.envoy.binary import find_envoy


def main(arguments: Sequence[str]) -> int:
    """Run; 1 if something differs."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.native", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000_000, help="questions to ask (default 1 000 000)")
    parser.add_argument("--seconds", type=float, default=inf, help="end after so long (default: never)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed asks the same (default 1)")
    parser.add_argument("--findings", type=Path, default=SEEDS, help="folder of seeds (default: where tests find them)")
    parser.add_argument("--again", action="store_true", help="ask the seeds that are kept instead of new questions")
    options = parser.parse_args(arguments)
    binary = find_envoy(os.environ)
    started, total = monotonic(), Outcome()
    if options.again:
        total = replayed(binary, seeds(options.findings))
        for found in total.differences:
            print(f"  DIFFERS: {found.about}\n{found.text}")
    else:
        print(f"seed {options.seed}, {options.cases:,} cases", flush=True)
        for outcome in fuzzed(binary, options.seed, options.cases, options.seconds):
            total.add(outcome)
            _tell(outcome, total, monotonic() - started, options.findings)
    print(_summary(total, monotonic() - started))
    return int(bool(total.differences))


def _tell(outcome: Outcome, total: Outcome, seconds: float, folder: Path) -> None:
    for found in outcome.differences:
        print(f"  DIFFERS: {found.about}\n  kept as {kept(found, folder)}")
    if sys.stdout.isatty():
        print(f"\r{_summary(total, seconds)}", end="\r", flush=True)


def _summary(total: Outcome, seconds: float) -> str:
    return (
        f"{total.cases:,} cases of {total.policies:,} policies in {seconds:,.0f} s: {total.decided:,} decided by Envoy "
        f"({total.allowed:,} allowed), {total.asked:,} asked, {total.refused:,} no request, "
        f"{total.shut_out:,} shut out at the handshake; {len(total.differences)} differ"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
