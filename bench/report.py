"""The figures of one run: a table for people, JSON for programs."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from bench.figure import Figure

_STYLES = {"PASS": "green", "over": "bold red", "under": "bold red"}


def table_from_figures(figures: Sequence[Figure]) -> Table:
    """One row for each figure; a part begins with a rule."""
    table = Table(caption="measured: median of the rounds; half of the rounds were within", caption_justify="left")
    table.add_column("", overflow="fold")
    table.add_column("measured", justify="right")
    table.add_column("")
    table.add_column("within", justify="right", no_wrap=True)
    table.add_column("bound", justify="right")
    table.add_column("")
    table.add_column("note", overflow="fold")
    for before, figure in zip([None, *figures], figures, strict=False):
        if before is not None and before.part != figure.part:
            table.add_section()
        table.add_row(*_row(figure))
    return table


def _row(figure: Figure) -> Sequence[str | Text]:
    first, third = figure.middle_half
    spread = f"{number(first)} to {number(third)}" if len(figure.samples) > 1 else ""
    verdict = Text(figure.verdict, style=_STYLES.get(figure.verdict, ""))
    return (
        f"{figure.part}: {figure.name}",
        number(figure.value),
        figure.unit,
        spread,
        str(figure.bound or ""),
        verdict,
        figure.note,
    )


def number(value: float) -> str:
    """Three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def summary(figures: Sequence[Figure]) -> str:
    """How many bounds are kept, and which are not."""
    bounded = [figure for figure in figures if figure.bound is not None]
    missed = [f"{figure.part}: {figure.name}" for figure in bounded if figure.is_missed]
    kept = f"{len(bounded) - len(missed)} of {len(bounded)} bounds kept"
    return f"{kept}; missed: {'; '.join(missed)}" if missed else kept


def json_from_run(command: str, machine: Mapping[str, str], figures: Sequence[Figure]) -> dict[str, object]:
    """Everything that the table says, with the value of every round."""
    return {
        "command": command,
        "machine": dict(machine),
        "figures": [
            {
                "part": figure.part,
                "name": figure.name,
                "unit": figure.unit,
                "value": figure.value,
                "samples": list(figure.samples),
                "bound": str(figure.bound or ""),
                "verdict": figure.verdict,
                "note": figure.note,
            }
            for figure in figures
        ],
    }
