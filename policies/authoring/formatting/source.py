"""A YAML text as its author laid it out: nodes that know their span and style, and every comment.

The text has been read by `policies.language.yaml_text` without a problem: one document without anchors, aliases, tags
and directives, nested no deeper than the limit. Indices count characters from 0.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from yaml import (
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    ScalarToken,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndToken,
)
from yaml._yaml import CParser

_COMMENT = re.compile(r"#[^\n]*")
#: What may stand before a comment on a line that has no value of its own: marks of items, keys and documents.
_MARKS_ONLY = re.compile(r"[\s?.-]*")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: `source` is the text as written, with its quotes; `style` is empty for a plain one."""

    start: int
    end: int
    value: str
    source: str
    style: str


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping (`keys` and `items` in pairs) or a list (`keys` is None). `flow`: written in brackets."""

    start: int
    end: int
    flow: bool
    keys: "tuple[Part, ...] | None"
    items: "tuple[Part, ...]"


Part = Leaf | Group


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment. `after`: where the last token before it ends. `trailing`: it stands behind a value on its line."""

    start: int
    text: str
    column: int
    after: int
    trailing: bool


class _Mark(Protocol):
    index: int


class _Event(Protocol):
    start_mark: _Mark
    end_mark: _Mark
    value: str
    style: str | None
    flow_style: bool


class _Open:
    """A group whose end is not read yet."""

    __slots__ = ("flow", "is_mapping", "parts", "start")

    def __init__(self, event: _Event, *, is_mapping: bool) -> None:
        self.start = event.start_mark.index
        self.flow = bool(event.flow_style)
        self.is_mapping = is_mapping
        self.parts: list[Part] = []

    def closed(self, end: int) -> Group:
        """The group. What a block's end mark says is where the next thing begins, so its last part tells its end."""
        end = end if self.flow or not self.parts else self.parts[-1].end
        if not self.is_mapping:
            return Group(self.start, end, self.flow, None, tuple(self.parts))
        return Group(self.start, end, self.flow, tuple(self.parts[::2]), tuple(self.parts[1::2]))


def root_from_text(text: str) -> Part:
    """The document."""
    stack: list[_Open] = []
    root: Part | None = None
    parser = CParser(text.encode())
    while (event := parser.get_event()) is not None:
        at = cast("_Event", event)
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            stack.append(_Open(at, is_mapping=isinstance(event, MappingStartEvent)))
            continue
        if isinstance(event, ScalarEvent):
            part: Part = _leaf(text, at)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            part = stack.pop().closed(at.end_mark.index)
        else:
            continue
        if stack:
            stack[-1].parts.append(part)
        else:
            root = part
    if root is None:
        raise ValueError("there is no document")
    return root


def _leaf(text: str, event: _Event) -> Leaf:
    start, end = event.start_mark.index, event.end_mark.index
    source = text[start:end]
    if event.style in {"|", ">"}:
        end = _end_of_block(text, start, end)
    return Leaf(start, end, event.value, source, event.style or "")


def comments_from_text(text: str) -> list[Comment]:
    """Every comment outside of block scalars, in order: what stands between tokens is blank, or a comment."""
    found: list[Comment] = []
    after = 0
    for start, end in _token_spans(text):
        for match in _COMMENT.finditer(text, after, start):
            line_start = text.rfind("\n", 0, match.start()) + 1
            trailing = not _MARKS_ONLY.fullmatch(text, line_start, match.start())
            column = match.start() - line_start
            found.append(Comment(match.start(), match[0].rstrip(), column, after, trailing))
        after = end
    return found


def _token_spans(text: str) -> Iterator[tuple[int, int]]:
    """Of every token that has characters, and of the end of the text."""
    parser = CParser(text.encode())
    while (token := parser.get_token()) is not None:
        start, end = token.start_mark.index, token.end_mark.index
        if isinstance(token, StreamEndToken):
            yield len(text), len(text)
        elif end > start:
            yield start, _end_of_block(text, start, end) if _is_block(token) else end


def _is_block(token: object) -> bool:
    return isinstance(token, ScalarToken) and token.style in {"|", ">"}


def _end_of_block(text: str, start: int, end: int) -> int:
    """A block scalar reaches over the blank lines behind it, as libyaml sees it."""
    return start + len(text[start:end].rstrip())
