"""A policy as text that people can review: flow style for values, comments that say where each rule comes from."""

import json
import re
from collections.abc import Iterable, Mapping

#: What YAML and every reader takes for text without quotes.
_PLAIN = re.compile(r"[A-Za-z0-9/](?:[A-Za-z0-9._/-]*[A-Za-z0-9/_])?")


def entry_lines(fields: Mapping[str, object], indent: int) -> list[str]:
    """An item of a list, one field a line."""
    lines = [f"{name}: {flow(value)}" for name, value in fields.items()]
    return [f"{' ' * indent}{'  ' if number else '- '}{line}" for number, line in enumerate(lines)]


def comment_lines(text: str, indent: int) -> list[str]:
    """A comment, one line of it for each line of `text`; what would not print is an escape."""
    return [f"{' ' * indent}# {printable(line)}".rstrip() for line in text.split("\n")]


def flow(value: object) -> str:
    """A value on one line: texts, lists and mappings of them."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Iterable):
        return f"[{', '.join(map(flow, value))}]"
    raise TypeError(f"no value of a policy: {value!r}")


def printable(text: str) -> str:
    """`text` with an escape for every character that a reader would not see."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
