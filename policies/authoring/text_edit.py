"""Edits of a text by the places that its reader gave: lines and columns from 1, in characters."""

from collections.abc import Iterable
from dataclasses import dataclass

from policies.language.problem import Position

#: What may follow a bare word; the last one stands for the end of the text.
_AFTER_WORD = frozenset({" ", "\t", "\r", "\n", ",", "}", "]", ":", ""})


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Put `text` in place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """A word in a text, from `start` to `end`, its quotes included; `quote` is empty if it has none."""

    start: int
    end: int
    quote: str

    def replaced(self, word: str) -> Edit:
        """The edit that puts another word there, quoted as this one is."""
        return Edit(self.start, self.end, f"{self.quote}{word}{self.quote}")


class TextEditor:
    """A text without line breaks other than LF and CR LF (as `text_from_bytes` lets pass)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = [0]
        self._lines.extend(index + 1 for index, character in enumerate(text) if character == "\n")

    def token_at(self, at: Position, word: str) -> Token | None:
        """The token at `at`, if it is `word` as it stands, bare or in quotes, with nothing of a longer word behind."""
        start = self._index(at)
        quote = self._text[start : start + 1] if self._text[start : start + 1] in {'"', "'"} else ""
        written = f"{quote}{word}{quote}"
        end = start + len(written)
        follows = self._text[end : end + 1]
        ends = bool(quote) or follows in _AFTER_WORD
        return Token(start, end, quote) if self._text[start:end] == written and ends else None

    def character_at(self, at: Position) -> str:
        """The character there; empty past the end."""
        index = self._index(at)
        return self._text[index : index + 1]

    def line_added_below(self, index: int, column: int, line: str) -> Edit:
        """The edit that adds a line, indented to `column`, below the one that `index` is in."""
        end = self._text.find("\n", index)
        if end < 0:
            return Edit(len(self._text), len(self._text), f"\n{' ' * (column - 1)}{line}")
        line_break = "\r\n" if self._text[end - 1 : end] == "\r" else "\n"
        return Edit(end + 1, end + 1, f"{' ' * (column - 1)}{line}{line_break}")

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text with all edits, which do not overlap."""
        parts: list[str] = []
        done = 0
        for edit in sorted(edits):
            parts += self._text[done : edit.start], edit.text
            done = edit.end
        return "".join([*parts, self._text[done:]])

    def _index(self, at: Position) -> int:
        return self._lines[at.line - 1] + at.column - 1
