"""What kinds of values a document has, as data: the reader and the JSON Schema are two uses of the same shapes.

A shape reads one node. It reports everything that is wrong, leaves out what it cannot read and keeps the rest, so that
one run shows all problems; whoever uses the result must look at the problems first. An empty text, list or mapping is
always a problem unless a shape says otherwise: nobody knows whether it means all or none.

Not only policies are read this way: any YAML document of peergate is `node_from_bytes` and a table of `Fields`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from policies.language.codes import Code
from policies.language.node import Mapping, Node, Refused, Scalar, Sequence
from policies.language.problem import Problems
from policies.language.wording import quoted

T = TypeVar("T")
E = TypeVar("E")
T_co = TypeVar("T_co", covariant=True)

#: The label of what is not under any key.
WHOLE_FILE = ""


class Shape(Protocol[T_co]):
    """One kind of value. `noun` completes "takes …" and has its article; `example` is YAML on one line."""

    @property
    def noun(self) -> str:
        """What it is, such as `a host pattern`."""

    @property
    def example(self) -> str:
        """A value that it accepts."""

    def read(self, node: Node, label: str, problems: Problems) -> T_co:
        """The value of `node`; `label` is the key (or name) under which an author finds it, or `WHOLE_FILE`."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text whose meaning is judged later.

    `words`: if not empty, the closed list of texts that have a meaning; editors offer them.
    `empty`: whether the empty text is a value too.
    """

    noun: str
    example: str
    words: tuple[str, ...] = ()
    empty: bool = False

    def read(self, node: Node, label: str, problems: Problems) -> Scalar | None:
        """The scalar, or None if there is none."""
        if isinstance(node, Scalar) and (node.text or self.empty):
            return node
        refuse(node, self, label, problems)
        return None


@dataclass(frozen=True, slots=True)
class OneOrMany(Generic[T]):
    """One value, or a list of such values. `empty`: whether the empty list is a value too."""

    of: "Shape[T | None]"
    empty: bool = False

    @property
    def noun(self) -> str:
        """The noun of one value says it for both."""
        return f"{self.of.noun}, or a list of them"

    @property
    def example(self) -> str:
        """A list of one."""
        return f"[{self.of.example}]"

    def read(self, node: Node, label: str, problems: Problems) -> tuple[T, ...]:
        """The values that could be read."""
        if isinstance(node, Sequence):
            return _items(self, node, label, problems)
        value = self.of.read(node, label, problems)
        return () if value is None else (value,)


@dataclass(frozen=True, slots=True)
class Many(Generic[T]):
    """A list, also where it has one item. `empty`: whether the empty list is a value too."""

    of: "Shape[T | None]"
    empty: bool = False

    @property
    def noun(self) -> str:
        """What one item is."""
        return f"a list, each item {self.of.noun}"

    @property
    def example(self) -> str:
        """A list of one."""
        return f"[{self.of.example}]"

    def read(self, node: Node, label: str, problems: Problems) -> tuple[T, ...]:
        """The items that could be read."""
        if isinstance(node, Sequence):
            return _items(self, node, label, problems)
        refuse(node, self, label, problems)
        return ()


@dataclass(frozen=True, slots=True)
class TextOr(Generic[T]):
    """A text, or a mapping that says it at length."""

    text: Shape[Scalar | None]
    mapping: Shape[T]

    @property
    def noun(self) -> str:
        """Both, the text first."""
        return f"{self.text.noun} or {self.mapping.noun}"

    @property
    def example(self) -> str:
        """The text."""
        return self.text.example

    def read(self, node: Node, label: str, problems: Problems) -> Scalar | T | None:
        """Whichever was written."""
        if isinstance(node, Mapping):
            return self.mapping.read(node, label, problems)
        if isinstance(node, Scalar):
            return self.text.read(node, label, problems)
        refuse(node, self, label, problems)
        return None


@dataclass(frozen=True, slots=True)
class Entries(Generic[T, E]):
    """A mapping whose keys authors choose, such as labels or zones. `make` joins a key and its value."""

    noun: str
    key: Shape[Scalar | None]
    value: "Shape[T | None]"
    make: Callable[[Scalar, T], E]

    @property
    def example(self) -> str:
        """A mapping of one entry."""
        return f"{{{self.key.example}: {self.value.example}}}"

    def read(self, node: Node, label: str, problems: Problems) -> tuple[E, ...]:
        """The entries that could be read, in order of writing."""
        if not isinstance(node, Mapping) or not node.entries:
            refuse(node, self, label, problems)
            return ()
        read: list[E] = []
        for key, value in node.entries:
            self.key.read(key, label, problems)
            found = self.value.read(value, key.text, problems)
            if found is not None:
                read.append(self.make(key, found))
        return tuple(read)


@dataclass(frozen=True, slots=True)
class Made(Generic[T, E]):
    """A value of another shape, made into something else. `make` gets the node and what was read from it."""

    of: "Shape[T | None]"
    make: Callable[[Node, T], E]

    @property
    def noun(self) -> str:
        """As the other shape."""
        return self.of.noun

    @property
    def example(self) -> str:
        """As the other shape."""
        return self.of.example

    def read(self, node: Node, label: str, problems: Problems) -> E | None:
        """What was made, or None if nothing could be read."""
        value = self.of.read(node, label, problems)
        return None if value is None else self.make(node, value)


@dataclass(frozen=True, slots=True)
class Later(Generic[T]):
    """A shape that is defined further on, so that shapes can contain themselves."""

    noun: str
    example: str
    shape: Callable[[], Shape[T]]

    def read(self, node: Node, label: str, problems: Problems) -> T:
        """As the shape reads."""
        return self.shape().read(node, label, problems)


def pair(key: Scalar, value: T) -> tuple[Scalar, T]:
    """What most `Entries` make: the key and its value."""
    return key, value


def refuse(node: Node, shape: Shape[Any], label: str, problems: Problems) -> None:
    """Report that `node` is empty or of another kind than `shape` takes; nothing if that is already reported."""
    if isinstance(node, Refused):
        return
    found = _found(node)
    code = Code.VALUE_EMPTY if found in {"nothing", "an empty list", "an empty mapping"} else Code.WRONG_TYPE
    subject = "the file" if label == WHOLE_FILE else quoted(label)
    hint = _hint(node) or f"for example {quoted(shape.example)}"
    problems.add(node.at, code, f"{subject} takes {shape.noun}, found {found}", hint)


def glued(text: str) -> str:
    """The hint for `key:value`, which YAML takes for one text; empty if it is none."""
    key, colon, value = text.partition(":")
    if not (key.replace("_", "").isalnum() and colon and value) or value.startswith("//"):
        return ""
    return f"put a blank after the colon: {quoted(f'{key}: {value}')}"


def _found(node: Scalar | Sequence | Mapping) -> str:
    match node:
        case Scalar(""):
            return "nothing"
        case Scalar(text):
            return f"the text {quoted(text)}"
        case Sequence(items):
            return "a list" if items else "an empty list"
        case Mapping(entries):
            return "a mapping" if entries else "an empty mapping"


def _hint(node: Node) -> str:
    match node:
        case Mapping(((Scalar(name), Scalar("")),)) if name.isidentifier():
            return f'put it in quotes if it is a pattern: "{{{name}}}"'
        case Scalar(text):
            return glued(text)
        case _:
            return ""


def _items(shape: OneOrMany[T] | Many[T], node: Sequence, label: str, problems: Problems) -> tuple[T, ...]:
    if not node.items and not shape.empty:
        refuse(node, shape, label, problems)
    read = shape.of.read
    return tuple(value for item in node.items if (value := read(item, label, problems)) is not None)
