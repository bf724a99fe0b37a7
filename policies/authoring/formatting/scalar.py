"""Scalars in the style: as their author wrote them, but double quotes for single ones, and indented anew."""

import json
import re

from policies.authoring.formatting.source import Leaf

_HEADER = re.compile(r"([|>])([-+0-9]*)[ \t]*(#[^\n]*)?(?:\n|\Z)")
_USUAL = frozenset({"", "-"})


def lines_from_leaf(leaf: Leaf, indent: int) -> list[str]:
    """The lines of a value; those after the first are indented by `indent` blanks."""
    if leaf.style in {"|", ">"}:
        return _block_lines(leaf, indent)
    first, *others = _double_quoted(leaf).split("\n")
    return [first.rstrip(), *(f"{' ' * indent}{line.strip()}".rstrip() for line in others)]


def lines_from_root(leaf: Leaf, indent: int) -> list[str]:
    """The lines of a document that is one value: none of them is empty or looks like a mark of documents."""
    if not leaf.source or leaf.source.startswith(("---", "...")):
        return [json.dumps(leaf.value, ensure_ascii=False)]
    return lines_from_leaf(leaf, indent)


def line_from_leaf(leaf: Leaf) -> str | None:
    """The value on one line, for keys and values in brackets; None if it has several."""
    if leaf.style in {"|", ">"} or "\n" in leaf.source:
        return None
    return _double_quoted(leaf) if leaf.source else '""'


def key_from_leaf(leaf: Leaf) -> str:
    """The text of a key, which always is one line."""
    line = line_from_leaf(leaf)
    return json.dumps(leaf.value, ensure_ascii=False) if line is None else line


def _double_quoted(leaf: Leaf) -> str:
    """The source, in double quotes if it has single ones and needs no escapes then."""
    inside = leaf.source[1:-1]
    if leaf.style == "'" and not any(mark in inside for mark in ('"', "\\", "'")):
        return f'"{inside}"'
    return leaf.source


def _block_lines(leaf: Leaf, indent: int) -> list[str]:
    """A literal or folded text, its lines as they are; one of an unusual form is written in quotes instead."""
    header = _HEADER.match(leaf.source)
    comment = f"  {header[3].rstrip()}" if header is not None and header[3] else ""
    lines = leaf.source[header.end() :].split("\n") if header is not None else []
    while lines and not lines[-1].strip(" "):
        lines.pop()
    first = next((line for line in lines if line.strip(" ")), "")
    margin = len(first) - len(first.lstrip(" "))
    if header is None or header[2] not in _USUAL or not margin or any(map(_is_odd, lines, [margin] * len(lines))):
        return [json.dumps(leaf.value, ensure_ascii=False) + comment]
    body = [f"{' ' * indent}{line[margin:]}" if line.strip(" ") else "" for line in lines]
    # A text at the very end of a file may lack the line break that the style gives it.
    chomped = header[2] or ("" if leaf.value.endswith("\n") else "-")
    return [f"{header[1]}{chomped}{comment}", *body]


def _is_odd(line: str, margin: int) -> bool:
    """Whether a line is indented less than the first one that is not blank, or is blank and yet says something."""
    return bool(line[:margin].strip(" ")) or (not line.strip(" ") and len(line) > margin)
