"""Bytes of a YAML file -> nodes with places, or problems (law 3).

Scalars are text. Whatever lets a reader and a program see different things is refused: duplicate keys, aliases,
anchors, tags, directives, a second document, hidden characters. No bytes make this module raise.

It reads libyaml's events, not its nodes: four times cheaper, and nothing is recursive. libyaml asks for its input
through a Python function, in small pieces: without that one call would hold the interpreter for a whole huge scalar.
"""

import re
from collections.abc import Callable
from typing import NoReturn, Protocol, cast

from yaml import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
    YAMLError,
)
from yaml._yaml import CParser

from policies.language.characters import forbidden_in_value, text_from_bytes
from policies.language.codes import Code
from policies.language.limits import MAX_DEPTH, MAX_VALUES, SCANNER_CHUNK_BYTES
from policies.language.node import Mapping, Node, Refused, Scalar, Sequence
from policies.language.problem import Position, Problems
from policies.language.wording import quoted
from policies.language.yaml_errors import report_yaml_error

_LOOKS = "a file means what it looks like"
_CORE_TAGS = "tag:yaml.org,2002:"
_CONTENT = re.compile(r"^[ \t]*([^ \t\r\n#])", re.MULTILINE)


def node_from_bytes(file: str, data: bytes, problems: Problems) -> Node | None:
    """The one document of a file as nodes, every problem added to `problems`.

    None if there is no tree to go on with: no text, no content, no YAML, or a limit reached. Otherwise the tree is what
    could be read, even where something in it was reported.
    """
    roots = _roots(
        file, data, problems, "begin with `version: 1`; `peergate policy init` writes a policy to start from"
    )
    return roots[0] if roots else None


def nodes_from_bytes(file: str, data: bytes, problems: Problems) -> tuple[Node, ...]:
    """Every document of a file that is not peergate's own, such as Kubernetes resources; empty ones are left out.

    As strict as `node_from_bytes` in all but the number of documents. What was read before a limit or a syntax error is
    not returned.
    """
    if_empty = "name a file that has a document"
    known = len(problems)
    nodes = _roots(file, data, problems, if_empty, several=True)
    if not nodes and len(problems) == known:
        problems.add(Position(file, 0, 0), Code.FILE_EMPTY, "every document of the file is empty", if_empty)
    return nodes


def _roots(file: str, data: bytes, problems: Problems, if_empty: str, *, several: bool = False) -> tuple[Node, ...]:
    text = text_from_bytes(file, data, problems)
    if text is None:
        return ()
    first = _CONTENT.search(text)
    if first is None:
        problems.add(Position(file, 0, 0), Code.FILE_EMPTY, "the file is empty, or has only comments", if_empty)
        return ()
    if first[0] == "%":
        at = Position(file, text.count("\n", 0, first.start()) + 1, 1)
        problems.add(at, Code.DIRECTIVE, "a YAML directive starts here", "remove the line that starts with %")
        return ()
    try:
        return _Tree(file, text, problems, several=several).read()
    except YAMLError as error:
        report_yaml_error(file, text, error, problems)
    except _LimitReachedError:
        pass
    return ()


class _Mark(Protocol):
    """A place as libyaml counts: characters, lines and columns from 0."""

    index: int
    line: int
    column: int


class _Event(Protocol):
    """What libyaml's events have, each kind its part; marks are there always, which PyYAML's own types leave open."""

    start_mark: _Mark
    end_mark: _Mark
    anchor: str | None
    tag: str | None
    value: str


class _LimitReachedError(Exception):
    """Reading stops; the problem is already reported."""


class _Pieces:
    """A stream for libyaml. Its `read` is Python code, so other threads may run between two pieces."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int = SCANNER_CHUNK_BYTES, /) -> bytes:
        start = self._at
        self._at = start + min(size, SCANNER_CHUNK_BYTES)
        return self._data[start : self._at]


class _OpenSequence:
    """A list whose end is not read yet."""

    __slots__ = ("_at", "_items")

    def __init__(self, at: Position) -> None:
        self._at = at
        self._items: list[Node] = []

    def add(self, node: Node) -> None:
        self._items.append(node)

    def closed(self) -> Node:
        return Sequence(tuple(self._items), self._at)


class _OpenMapping:
    """A mapping whose end is not read yet; keys and values come in turn. Of equal keys the first one stays."""

    __slots__ = ("_at", "_entries", "_key", "_problems", "_refused")

    def __init__(self, at: Position, problems: Problems) -> None:
        self._at = at
        self._problems = problems
        self._key: Node | None = None
        self._entries: dict[str, tuple[Scalar, Node]] = {}
        self._refused = False

    def add(self, node: Node) -> None:
        key = self._key
        if key is None:
            self._key = node
            return
        self._key = None
        if not isinstance(key, Scalar):
            self._refuse_key(key)
        elif key.text in self._entries:
            first = self._entries[key.text][0].at
            message = f"the key {quoted(key.text)} stands twice; first in line {first.line}, column {first.column}"
            self._problems.add(key.at, Code.KEY_DUPLICATE, message, "keep one of them")
        else:
            self._entries[key.text] = (key, node)

    def _refuse_key(self, key: Node) -> None:
        self._refused = True
        if not isinstance(key, Refused):
            message = "a key must be text, found a list or a mapping"
            self._problems.add(key.at, Code.KEY_NOT_TEXT, message, "put the key in quotes if it starts with { or [")

    def closed(self) -> Node:
        if self._refused and not self._entries:
            return Refused(self._at)
        return Mapping(tuple(self._entries.values()), self._at)


class _Tree:
    """One reading of one file."""

    def __init__(self, file: str, text: str, problems: Problems, *, several: bool) -> None:
        self._file = file
        self._text = text
        self._problems = problems
        self._several = several
        self._open: list[_OpenSequence | _OpenMapping] = []
        self._words: dict[str, str] = {}
        self._values = 0
        self._documents = 0
        self._roots: list[Node] = []

    def read(self) -> tuple[Node, ...]:
        """The roots of the documents. Raises YAMLError and _LimitReachedError."""
        handlers: dict[type[object], Callable[[_Event], None]] = {
            StreamStartEvent: self._pass,
            DocumentStartEvent: self._start_document,
            ScalarEvent: self._scalar,
            SequenceStartEvent: self._sequence,
            MappingStartEvent: self._mapping,
            SequenceEndEvent: self._close,
            MappingEndEvent: self._close,
            AliasEvent: self._alias,
            DocumentEndEvent: self._end_document,
        }
        next_event = cast("Callable[[], _Event]", CParser(_Pieces(self._text.encode())).get_event)
        while (handle := handlers.get((event := next_event()).__class__)) is not None:
            handle(event)
        return tuple(self._roots)

    def _scalar(self, event: _Event) -> None:
        self._check_value(event)
        text = event.value
        mark = event.start_mark
        scalar = Scalar(self._words.setdefault(text, text), self._file, mark.line + 1, mark.column + 1)
        if not text.isprintable() and (character := forbidden_in_value(text)):
            message = f"the value holds {character}, which a reader of a log or a page would not see"
            self._problems.add(scalar.at, Code.CHARACTER_FORBIDDEN, message, "remove it")
        self._add(scalar)

    def _sequence(self, event: _Event) -> None:
        self._check_value(event)
        self._open.append(_OpenSequence(self._place(event)))
        self._check_depth(event)

    def _mapping(self, event: _Event) -> None:
        self._check_value(event)
        self._open.append(_OpenMapping(self._place(event), self._problems))
        self._check_depth(event)

    def _close(self, _: _Event) -> None:
        self._add(self._open.pop().closed())

    def _alias(self, event: _Event) -> None:
        self._count(event)
        at = self._place(event)
        message = f"{quoted(f'*{event.anchor}')} is a YAML alias, which peergate refuses"
        self._problems.add(at, Code.ALIAS, message, f"write the value out, or in quotes if it is text; {_LOOKS}")
        self._add(Refused(at))

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].add(node)
        elif not (self._several and isinstance(node, Scalar) and not node.text):
            self._roots.append(node)

    def _check_value(self, event: _Event) -> None:
        """Count the value, and refuse it an anchor or a tag."""
        self._count(event)
        if event.anchor is not None:
            message = f"{quoted(f'&{event.anchor}')} is a YAML anchor, which peergate refuses"
            hint = f"remove it, or put the value in quotes; {_LOOKS}"
            self._problems.add(self._place(event), Code.ANCHOR, message, hint)
        if event.tag is not None:
            message = f"{quoted(event.tag.replace(_CORE_TAGS, '!!'))} is a YAML tag, which peergate refuses"
            hint = "remove it, or put the value in quotes; every value is text"
            self._problems.add(self._place(event), Code.TAG, message, hint)

    def _count(self, event: _Event) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop(
                self._place(event), Code.TOO_MANY_VALUES, f"the file has more than {MAX_VALUES} values", "split it"
            )

    def _check_depth(self, event: _Event) -> None:
        # Stops at once: libyaml's time is quadratic in the depth of lists in brackets.
        if len(self._open) > MAX_DEPTH:
            message = f"lists and mappings are nested more than {MAX_DEPTH} deep"
            self._stop(
                self._place(event),
                Code.TOO_DEEP,
                message,
                "close brackets that are open; a policy needs a few levels only",
            )

    def _start_document(self, event: _Event) -> None:
        self._documents += 1
        if self._documents > 1 and not self._several:
            self._second_document(self._place(event))

    def _end_document(self, event: _Event) -> None:
        # Stops before a directive: libyaml's time is quadratic in their number.
        mark = event.end_mark
        rest = _CONTENT.search(self._text, mark.index)
        if rest and rest[1] == "%":
            at = Position(self._file, mark.line + self._text.count("\n", mark.index, rest.start(1)) + 1, 1)
            if not self._several:
                self._second_document(at)
            self._stop(at, Code.DIRECTIVE, "a YAML directive starts here", "remove the line that starts with %")

    def _second_document(self, at: Position) -> NoReturn:
        self._stop(at, Code.SECOND_DOCUMENT, "a second YAML document starts here", "put it into a file of its own")

    def _pass(self, _: _Event) -> None:
        """Nothing to do: the stream starts."""

    def _place(self, event: _Event) -> Position:
        mark = event.start_mark
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, at: Position, code: Code, message: str, hint: str = "") -> NoReturn:
        self._problems.add(at, code, message, hint)
        raise _LimitReachedError
