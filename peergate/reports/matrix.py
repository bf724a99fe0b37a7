"""The matrix of a policy as JSON, CSV and for a terminal. `peergate.reports.matrix_page` writes it as a page."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import groupby, product
from operator import itemgetter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from peergate.console import plain, print_facts, print_wrapped, styled
from policies.authoring.matrix.axes import Axis
from policies.authoring.matrix.cell import Cell, Use, Verdict, cell_from_uses
from policies.authoring.matrix.matrix import Matrix
from policies.reason import Effect

#: How a cell looks in a grid, with its style.
_MARKS = {
    Verdict.ALLOW: ("allow", "green"),
    Verdict.CONDITIONAL: ("if …", "yellow"),
    Verdict.DENY: ("deny", "red"),
    Verdict.NONE: ("·", "dim"),
}
#: What the marks say; short, so that all of them are one line.
_MEANINGS = {
    Verdict.ALLOW: "every request",
    Verdict.CONDITIONAL: "see below",
    Verdict.DENY: "by a rule",
    Verdict.NONE: "no rule allows",
}
#: Stands for every identity, or every route.
EVERY = "*"
#: Rules of one cell that are written out where people read.
_SHOWN_USES = 20
#: Columns of a terminal between two columns of the grid.
_GAP = 2


def json_from_matrix(matrix: Matrix) -> str:
    """Identities, routes, and every cell that some rule is about in particular."""
    return json.dumps(
        {
            "generation": matrix.generation,
            "strict_sni": matrix.same_name,
            "identities": list(_axes(matrix.rows, "selector", matrix.of_row)),
            "routes": list(_axes(matrix.columns, "requests", matrix.of_column)),
            "cells": [
                {"identity": matrix.rows[row].name, "route": matrix.columns[column].name, **_cell_object(cell)}
                for row, column, cell in matrix.own_cells()
            ],
            "elsewhere": [{"callers": callers, **use_object(use)} for use, callers in matrix.elsewhere],
        },
        indent=1,
    )


def csv_from_matrix(matrix: Matrix) -> str:
    """One line for each pair that a rule is about; `*` stands for every identity or every route."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["identity", "route", "verdict", "with_shadow_rules", "rules"])
    for identity, route, cell in (*_whole_lines(matrix), *_own_lines(matrix)):
        uses = "; ".join(map(use_text, telling_uses(cell)))
        writer.writerow([_no_formula(identity), _no_formula(route), cell.verdict, cell.shadow, uses])
    return out.getvalue()


def _own_lines(matrix: Matrix) -> Iterator[tuple[str, str, Cell]]:
    for row, column, cell in said_cells(matrix):
        yield matrix.rows[row].name, matrix.columns[column].name, cell


def _whole_lines(matrix: Matrix) -> Iterator[tuple[str, str, Cell]]:
    """Whole rows and columns that are denied."""
    for axis, uses in zip(matrix.rows, matrix.of_row, strict=True):
        if _says(cell := cell_from_uses(uses)):
            yield axis.name, EVERY, cell
    for axis, uses in zip(matrix.columns, matrix.of_column, strict=True):
        if _says(cell := cell_from_uses(uses)):
            yield EVERY, axis.name, cell


def said_cells(matrix: Matrix) -> Iterator[tuple[int, int, Cell]]:
    """The cells that some rule is about in particular and that are not blank, row by row."""
    return ((row, column, cell) for row, column, cell in matrix.own_cells() if _says(cell))


def whole_cells(matrix: Matrix) -> Iterator[str]:
    """Whole rows and columns that are denied, in words."""
    for identity, route, cell in _whole_lines(matrix):
        who = "every caller" if identity == EVERY else identity
        where = "every route" if route == EVERY else route
        yield f"{who} on {where}: {'; '.join(map(use_text, cell.uses))}"


def _says(cell: Cell) -> bool:
    return cell.verdict is not Verdict.NONE or cell.shadow is not None


def print_matrix(console: Console, matrix: Matrix) -> None:
    """A grid where it is narrow enough, else a list; then what the cells do not say by themselves."""
    width = max(len(row.name) for row in matrix.rows) + sum(max(len(c.name), 5) + _GAP for c in matrix.columns)
    if width <= console.width:
        console.print(_grid(matrix))
        console.print()
        print_wrapped(console, _legend(matrix))
        console.print()
    _print_list(console, matrix)
    for line in notes(matrix):
        print_wrapped(console, styled(("note  ", "bold"), line))


def notes(matrix: Matrix) -> Iterator[str]:
    """What holds beside the cells."""
    if matrix.same_name:
        yield "strict_sni: every request needs the TLS server name of its host."
    for use, callers in matrix.elsewhere:
        yield f"Whoever else he is, a caller who is also {callers} is denied: {use_text(use)}."
    yield (
        "A row is about callers who are that identity. A certificate that is of several rows may do what any of them "
        "allows, unless one is denied it. Whoever is of no row may do nothing."
    )


def use_text(use: Use) -> str:
    """`allow by RULE if …`, as a part of a sentence."""
    shadow = "in shadow: " if use.shadow else ""
    conditions = " and ".join(condition.text for condition in use.conditions)
    return f"{shadow}{use.effect} by {use.rule}{f' if {conditions}' if conditions else ''}"


def use_object(use: Use) -> dict[str, object]:
    """A use as plain values."""
    conditions = [{"about": condition.kind.value, "text": condition.text} for condition in use.conditions]
    return {"rule": use.rule, "effect": use.effect.value, "shadow": use.shadow, "if": conditions}


def _axes(axes: Sequence[Axis], what: str, denied: Sequence[Sequence[Use]]) -> Iterator[dict[str, object]]:
    for axis, uses in zip(axes, denied, strict=True):
        found: dict[str, object] = {"name": axis.name, what: axis.text, "named": axis.named}
        yield found | ({"denied": [use_object(use) for use in uses]} if uses else {})


def _cell_object(cell: Cell) -> dict[str, object]:
    found: dict[str, object] = {"verdict": cell.verdict.value}
    if cell.shadow is not None:
        found["with_shadow_rules"] = cell.shadow.value
    return found | {"rules": [use_object(use) for use in cell.uses]}


def _no_formula(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text


def _grid(matrix: Matrix) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    table.add_column("", no_wrap=True)
    for column in matrix.columns:
        table.add_column(plain(column.name), no_wrap=True)
    for row, axis in enumerate(matrix.rows):
        cells = [_mark(matrix.cell(row, column)) for column in range(len(matrix.columns))]
        table.add_row(plain(axis.name), *cells)
    return table


def _legend(matrix: Matrix) -> Text:
    signs = [Text.assemble(mark, f": {_MEANINGS[verdict]}") for verdict, mark in _MARKS.items()]
    cells = (matrix.cell(*place) for place in product(range(len(matrix.rows)), range(len(matrix.columns))))
    if any(cell.shadow is not None for cell in cells):
        signs.append(Text.assemble(("(…)", "magenta"), ": with shadow rules"))
    return Text("; ").join(signs)


def _mark(cell: Cell) -> Text:
    mark = Text(*_MARKS[cell.verdict])
    if cell.shadow is not None:
        mark.append(f" ({_MARKS[cell.shadow][0]})", "magenta")
    return mark


def _print_list(console: Console, matrix: Matrix) -> None:
    """Identity by identity, the cells with their rules; then what is denied as a whole."""
    for row, cells in groupby(said_cells(matrix), key=itemgetter(0)):
        axis = matrix.rows[row]
        print_wrapped(console, styled((axis.name, "bold"), f"  {axis.text}" if axis.text != axis.name else ""))
        print_facts(console, [fact for _, column, cell in cells for fact in _facts(matrix, column, cell)], indent=2)
    for line in whole_cells(matrix):
        print_wrapped(console, styled(line))
    console.print()


def _facts(matrix: Matrix, column: int, cell: Cell) -> Iterator[tuple[Text, Text]]:
    """A cell as lines: the route, then one rule a line."""
    name = Text(plain(matrix.columns[column].name), _MARKS[cell.verdict][1])
    for line in use_lines(cell):
        yield name, styled(line)
        name = Text()
    if cell.shadow is not None:
        yield name, styled((f"with shadow rules: {cell.shadow}", "magenta"))


def use_lines(cell: Cell) -> list[str]:
    """The rules of a cell for people, who read a few: a line each, the rest counted."""
    uses = telling_uses(cell)
    rest = len(uses) - _SHOWN_USES
    return [*map(use_text, uses[:_SHOWN_USES]), *([f"and {rest} more rules"] if rest > 0 else [])]


def telling_uses(cell: Cell) -> list[Use]:
    """The rules that make the verdict; of a denied cell, those that deny it in any case, then what they beat."""
    if cell.verdict is not Verdict.DENY:
        return list(cell.uses)
    beating = [use for use in cell.uses if use.effect is Effect.DENY and not use.conditions and not use.shadow]
    return beating + [use for use in cell.uses if use.effect is Effect.ALLOW]
