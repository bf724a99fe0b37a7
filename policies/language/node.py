"""YAML nodes with their places: what is left of a text when only mappings, sequences and text scalars are allowed."""

from dataclasses import dataclass

from policies.language.problem import Position


@dataclass(frozen=True, slots=True)
class Scalar:
    """A scalar, always text as written (`no`, `1.10` and `12:30` stay what they are).

    Its place is kept as plain fields: a policy has many words and few problems, so positions are made when asked for.
    """

    text: str
    file: str
    line: int
    column: int

    @property
    def at(self) -> Position:
        """Where it stands."""
        return Position(self.file, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of nodes."""

    items: "tuple[Node, ...]"
    at: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys in order of writing, each once."""

    entries: "tuple[tuple[Scalar, Node], ...]"
    at: Position


@dataclass(frozen=True, slots=True)
class Refused:
    """A value whose problem is already reported: an alias, or a mapping of which no key can be read.

    Whatever it stood for, nothing more is said about it.
    """

    at: Position


Node = Scalar | Sequence | Mapping | Refused


def plain_from_node(node: Node) -> object:
    """What a node says without its places: text, list, or dict. A refused value is None."""
    match node:
        case Scalar(text):
            return text
        case Sequence(items):
            return [plain_from_node(item) for item in items]
        case Mapping(entries):
            return {key.text: plain_from_node(value) for key, value in entries}
        case Refused():
            return None
