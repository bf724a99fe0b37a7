"""Mappings with fixed keys, each described by a table: a key, the shape of its value, what it means.

To read a document of your own: write a table of `Field`s, give `Fields` a dataclass to make, and call
`fields.read(node, WHOLE_FILE, problems)`. Every key gets the same treatment: unknown keys with what was probably meant,
missing ones, values of another kind, all with their places. `schema_from_fields` makes the JSON Schema of it.
"""

import keyword
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from policies.language.codes import Code
from policies.language.node import Mapping, Node, Scalar
from policies.language.problem import Problems
from policies.language.shape import Shape, glued, refuse
from policies.language.suggestion import Vocabulary
from policies.language.wording import listed, quoted

T = TypeVar("T")
E = TypeVar("E")
_NO_HINTS: MappingOf[str, str] = {}


@dataclass(frozen=True, slots=True)
class Field:
    """One key. `description` is shown by editors and in the reference; `required`: the mapping needs it."""

    key: str
    shape: Shape[Any]
    description: str
    required: bool = False
    attribute: str = field(init=False)

    def __post_init__(self) -> None:
        """The dataclass field that takes the value: the key, with `_` where it is a Python keyword."""
        attribute = f"{self.key}_" if keyword.iskeyword(self.key) else self.key
        object.__setattr__(self, "attribute", attribute)


@dataclass(frozen=True, slots=True, eq=False)
class Fields(Generic[T]):
    """A mapping with fixed keys.

    - `what`: what such a mapping is, with its article.
    - `title`: a short name, unique in a document; the JSON Schema defines it under that name.
    - `make`: called with `at=` the place of the mapping and one argument for every key that could be read, named as
      `Field.attribute`; through `Records` also with `name=`. It must cope with required keys that are not there.
    - `hints`: words that authors write instead of a key -> what to do.
    - `one_of`: keys of which exactly one must stand.
    """

    title: str
    what: str
    example: str
    fields: tuple[Field, ...]
    make: Callable[..., T]
    hints: MappingOf[str, str] = field(default_factory=lambda: _NO_HINTS)
    one_of: tuple[str, ...] = ()
    _by_key: dict[str, Field] = field(init=False)
    _keys: Vocabulary = field(init=False)

    def __post_init__(self) -> None:
        """The keys as looked up."""
        object.__setattr__(self, "_by_key", {each.key: each for each in self.fields})
        object.__setattr__(self, "_keys", Vocabulary(self._by_key))

    @property
    def noun(self) -> str:
        """What it is, and how that is written."""
        return f"{self.what} (a mapping)"

    def read(self, node: Node, label: str, problems: Problems) -> T | None:
        """What `make` makes of the keys, or None if the node is no mapping."""
        values = self._values(node, label, problems)
        return None if values is None else self.make(at=node.at, **values)

    def read_named(self, name: Scalar, node: Node, problems: Problems) -> T:
        """The same for something that has a name. A node that is no mapping makes one without any value."""
        values = self._values(node, name.text, problems) or {}
        return self.make(name=name, at=node.at, **values)

    def _values(self, node: Node, label: str, problems: Problems) -> dict[str, Any] | None:
        if not isinstance(node, Mapping) or not node.entries:
            refuse(node, self, label, problems)
            return None
        values: dict[str, Any] = {}
        by_key = self._by_key
        meant: set[str] = set()
        for key, value in node.entries:
            known = by_key.get(key.text)
            if known is None:
                meant.add(self._refuse_key(key, value, problems))
                continue
            found = known.shape.read(value, key.text, problems)
            if found is not None:
                values[known.attribute] = found
        self._check_presence(node, meant, problems)
        return values

    def _check_presence(self, node: Mapping, meant: set[str], problems: Problems) -> None:
        """Keys that must stand; those in `meant` stand there misspelt, which is reported."""
        keys = {key.text: key for key, _ in node.entries}
        for each in self.fields:
            if each.required and each.key not in keys and each.key not in meant:
                message = f"{self.what} needs the key {quoted(each.key)}"
                problems.add(node.at, Code.KEY_MISSING, message, f"for example {_entry(each)}")
        chosen = [key for key, _ in node.entries if key.text in self.one_of]
        if self.one_of and not chosen and not meant.intersection(self.one_of):
            message = f"{self.what} needs one of the keys {listed(self.one_of, 'and')}"
            problems.add(node.at, Code.KEY_MISSING, message, f"for example {_entry(self._by_key[self.one_of[0]])}")
        if len(chosen) > 1:
            message = f"{self.what} has only one of the keys {listed((key.text for key in chosen), 'and')}"
            problems.add(chosen[-1].at, Code.KEYS_CONFLICT, message, "write two, one for each key")

    def _refuse_key(self, key: Scalar, value: Node, problems: Problems) -> str:
        """Report an unknown key; the key that was probably meant, or an empty text."""
        meant = self._keys.nearest(key.text) or ""
        hint = self.hints.get(key.text, "")
        if not hint and isinstance(value, Scalar) and not value.text and (hint := glued(key.text)):
            meant = key.text.partition(":")[0]
        if not hint:
            hint = f"did you mean {quoted(meant)}?" if meant else f"its keys are {listed(self._by_key, 'and')}"
        problems.add(key.at, Code.KEY_UNKNOWN, f"{quoted(key.text)} is not a key of {self.what}", hint)
        return meant


@dataclass(frozen=True, slots=True)
class Records(Generic[T]):
    """A mapping from names that authors choose to mappings with fixed keys."""

    noun: str
    key: Shape[Scalar | None]
    fields: Fields[T]

    @property
    def example(self) -> str:
        """A mapping of one record."""
        return f"{{{self.key.example}: {self.fields.example}}}"

    def read(self, node: Node, label: str, problems: Problems) -> tuple[T, ...]:
        """Every record in order of writing, also one whose name or content is wrong: others may refer to it."""
        if not isinstance(node, Mapping) or not node.entries:
            refuse(node, self, label, problems)
            return ()
        records: list[T] = []
        for name, value in node.entries:
            self.key.read(name, label, problems)
            records.append(self.fields.read_named(name, value, problems))
        return tuple(records)


def _entry(known: Field) -> str:
    return quoted(f"{known.key}: {known.shape.example}")
