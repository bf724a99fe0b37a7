"""`python -m fuzz --seconds N [--seed S] [--target NAME …]`, or `--target NAME --input FILE` to see one input again."""

import argparse
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from fuzz.run import Finding, Outcome, failure_of, fuzzed
from fuzz.targets import TARGETS


def main(arguments: Sequence[str]) -> int:
    """Run; 1 if a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same inputs (default 1)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this one; may be repeated")
    parser.add_argument(
        "--findings", type=Path, default=Path("fuzz-findings"), help="folder for inputs that break a law"
    )
    parser.add_argument("--input", type=Path, help="check this one input instead of making any")
    options = parser.parse_args(arguments)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    if options.input is not None:
        data = options.input.read_bytes()
        failures = {target.name: failure_of(target, data) for target in targets}
        for name, failure in failures.items():
            print(f"{name}: {failure or 'keeps the law'}")
        return int(any(failures.values()))
    print(f"seed {options.seed}, {options.seconds:g} s for {len(targets)} targets")
    outcomes = []
    for target in targets:
        outcomes.append(fuzzed(target, options.seed, options.seconds / len(targets)))
        _tell(outcomes[-1], options.findings)
    return int(any(outcome.finding for outcome in outcomes))


def _tell(outcome: Outcome, folder: Path) -> None:
    rate = outcome.inputs / outcome.seconds if outcome.seconds else 0
    print(f"{outcome.target.name:12} {outcome.inputs:9,} inputs {rate:8,.0f}/s  {outcome.target.law}")
    if outcome.finding is not None:
        _tell_finding(outcome.finding, folder)


def _tell_finding(finding: Finding, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finding.target}-{sha256(finding.data).hexdigest()[:12]}"
    path.write_bytes(finding.data)
    print(f"  BROKEN by input {finding.number}: {finding.failure}")
    print(f"  {finding.data[:200]!r}{' …' if len(finding.data) > 200 else ''}")
    print(f"  again: python -m fuzz --target {finding.target} --input {path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
