"""The matrix of a policy as one HTML page that loads nothing.

Names and descriptions are the policy author's text. They reach the page in two ways: escaped, in the list for print and
for browsers without scripts, and as JSON that the script writes into text nodes only. The Content-Security-Policy names
the one script and the one style by their hash, so whatever else stood on the page would not run.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files

from peergate.reports.matrix import notes, said_cells, telling_uses, use_lines, use_text, whole_cells
from policies.authoring.matrix.axes import Axis
from policies.authoring.matrix.cell import Use, Verdict
from policies.authoring.matrix.matrix import Matrix
from policies.reason import Effect

_VERDICTS = tuple(Verdict)


def page_from_matrix(matrix: Matrix, title: str) -> str:
    """The page; `title` names the policy."""
    style, script = _part("matrix.css"), _part("matrix.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {
        "CSP": policy,
        "TITLE": escape(f"Who may call what: {title}"),
        "GENERATION": escape(matrix.generation),
        "STYLE": style,
        "NOTES": "".join(f"<li>{escape(note)}</li>" for note in notes(matrix)),
        "LIST": "".join(_list(matrix)),
        "DATA": _script_json(_data(matrix)),
        "SCRIPT": script,
    }
    head, *pieces = _part("matrix.html").split("{{")
    filled = (piece.partition("}}") for piece in pieces)
    return head + "".join(parts[name] + rest for name, _, rest in filled)


def _part(name: str) -> str:
    return (files("peergate.reports") / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As Content-Security-Policy names an inline script or style (CSP Level 3 §2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _script_json(value: object) -> str:
    """JSON that cannot end the element it stands in, nor begin a comment in it (HTML §4.12.1.3)."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _data(matrix: Matrix) -> dict[str, object]:
    """What the script shows; uses are written once and named by their position."""
    uses: dict[Use, int] = {}

    def positions(found: Sequence[Use]) -> list[int]:
        return [uses.setdefault(use, len(uses)) for use in found]

    cells = [
        [
            row,
            column,
            _VERDICTS.index(cell.verdict),
            -1 if cell.shadow is None else _VERDICTS.index(cell.shadow),
            positions(telling_uses(cell)),
        ]
        for row, column, cell in matrix.own_cells()
    ]
    rows = [_axis(axis, positions(denied)) for axis, denied in zip(matrix.rows, matrix.of_row, strict=True)]
    columns = [_axis(axis, positions(denied)) for axis, denied in zip(matrix.columns, matrix.of_column, strict=True)]
    return {
        "rows": rows,
        "columns": columns,
        "cells": cells,
        "uses": [[use_text(use), use.rule, matrix.descriptions.get(use.rule, ""), _settles(use)] for use in uses],
    }


def _axis(axis: Axis, denied: list[int]) -> list[object]:
    return [axis.name, axis.text, denied]


def _settles(use: Use) -> int:
    """1 if it denies by itself, so that a cell that is not listed is denied; else 0."""
    return int(use.effect is Effect.DENY and not use.shadow and not use.conditions)


def _list(matrix: Matrix) -> Iterator[str]:
    last = None
    for row, column, cell in said_cells(matrix):
        if row != last:
            yield "</ul></section>" if last is not None else ""
            axis = matrix.rows[row]
            yield f"<section><h2>{escape(axis.name)}</h2><p>{escape(axis.text)}</p><ul>"
            last = row
        shadow = f" ({cell.shadow} with shadow rules)" if cell.shadow is not None else ""
        rules = "; ".join(use_lines(cell))
        yield (
            f'<li data-row="{row}" data-column="{column}"><b>{cell.verdict}{shadow}</b> '
            f"{escape(matrix.columns[column].name)}: {escape(rules)}</li>"
        )
    yield "</ul></section>" if last is not None else ""
    whole = "".join(f"<li>{escape(line)}</li>" for line in whole_cells(matrix))
    yield f"<section><h2>Denied as a whole</h2><ul>{whole}</ul></section>" if whole else ""
