"""`python -m tests.docs.reference`: writes docs/reference.md from the tables of the language; `--check`: is it old?

The text of every key stands once, in the tables that read policies; editors show it through the JSON Schema.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from policies.authoring.suite_table import SUITE
from policies.language.policy_table import POLICY
from policies.language.shape import Entries, Later, Made, Many, OneOrMany, Shape, TextOr
from policies.language.table import Field, Fields, Records

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"
_HEAD = """\
# Every key

Made from the tables that read policies, by `python -m tests.docs.reference`; `make check` says if it is old. What the
keys mean together is explained in [docs/policy.md](policy.md).
"""


def tables(shape: Shape[Any]) -> list[Fields[Any]]:
    """Every mapping with fixed keys in what `shape` reads, each once, outer before inner."""
    found: dict[str, Fields[Any]] = {}

    def visit(inner: Shape[Any]) -> None:
        match inner:
            case Fields() if inner.title not in found:
                found[inner.title] = inner
                for each in inner.fields:
                    visit(each.shape)
            case OneOrMany(of=of) | Many(of=of) | Made(of=of):
                visit(of)
            case TextOr(text=text, mapping=mapping):
                visit(text)
                visit(mapping)
            case Later(shape=later):
                visit(later())
            case Entries(value=value):
                visit(value)
            case Records(fields=fields):
                visit(fields)

    visit(shape)
    return list(found.values())


def page() -> str:
    """The text of the page."""
    parts = [_HEAD]
    for title, shape in (("Policy files", POLICY), ("Tests of a policy", SUITE)):
        parts.append(f"\n## {title}\n")
        written: dict[tuple[Field, ...], str] = {}
        for fields in tables(shape):
            parts.append(f"\n### {fields.what[:1].upper()}{fields.what[1:]}\n\n")
            same = written.setdefault(fields.fields, fields.what)
            parts += _table(fields) if same is fields.what else [f"The same keys as {same}.\n"]
    return "".join(parts)


def _table(fields: Fields[Any]) -> Iterator[str]:
    if fields.one_of:
        yield f"Exactly one of {', '.join(f'`{key}`' for key in fields.one_of)} stands in it.\n\n"
    yield "| key | what it is | for example |\n|---|---|---|\n"
    for each in fields.fields:
        yield _row(each)


def _row(each: Field) -> str:
    needed = " Needed." if each.required else ""
    return f"| `{each.key}` | {_cell(each.description)}{needed} | `{_cell(f'{each.key}: {each.shape.example}')}` |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """1 if `--check` finds the page old."""
    if arguments != ["--check"]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE.name} is old; run `python -m tests.docs.reference`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
