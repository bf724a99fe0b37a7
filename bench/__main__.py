"""`python -m bench [PART …] [--json FILE] [--strict]`: measure, and print one table."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic

from rich.console import Console

from bench import authoring, envoy, evaluate, gateway, handshakes, load, native, services
from bench.figure import Figure
from bench.machine import command, machine
from bench.report import json_from_run, summary, table_from_figures
from runtime.envoy.errors import EnvoyMissingError

PARTS: dict[str, Callable[[], Iterable[Figure]]] = {
    evaluate.PART: evaluate.figures,
    load.PART: load.figures,
    authoring.PART: authoring.figures,
    services.GRPC: services.grpc_figures,
    services.HTTP: services.http_figures,
    envoy.PART: envoy.figures,
    native.PART: native.figures,
    gateway.PART: gateway.figures,
    handshakes.PART: handshakes.figures,
}


def main(arguments: Sequence[str], console: Console) -> int:
    """Measure the parts that are named, or all; 1 if a bound is missed and `--strict` was said."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="what to measure; everything if left out")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every figure and round there, too")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a bound is missed")
    options = parser.parse_args(arguments)
    facts, started = machine(), monotonic()
    figures = measured(options.part or list(PARTS), console)
    for name, fact in facts.items():
        console.print(f"{name}: {fact}", highlight=False)
    console.print(f"command: {command()} ({monotonic() - started:.0f} s)", highlight=False)
    console.print(table_from_figures(figures))
    console.print(summary(figures), highlight=False)
    if options.json is not None:
        options.json.write_text(json.dumps(json_from_run(command(), facts, figures), indent=1), encoding="utf-8")
    return int(options.strict and any(figure.is_missed for figure in figures))


def measured(parts: Sequence[str], console: Console) -> list[Figure]:
    """The figures of these parts; without an Envoy, its part is left out and said to be."""
    figures: list[Figure] = []
    for part in parts:
        console.print(f"measuring {part} …", style="dim", highlight=False)
        try:
            figures.extend(PARTS[part]())
        except EnvoyMissingError as error:
            console.print(f"{part} is not measured: {error}", highlight=False)
    return figures


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Console(width=None if sys.stdout.isatty() else 160)))
