"""What is wrong with a policy, where, and how to mend it."""

from dataclasses import dataclass

from policies.language.codes import Code
from policies.language.limits import MAX_PROBLEMS


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a policy: file name as the user knows it, line and column from 1 (0 = the file as a whole)."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One problem. `code` is a stable word for tools; `hint` says how to mend it, empty if the message does."""

    at: Position
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """`file:line:column: code: message (hint)`, as compilers print it."""
        tail = f" ({self.hint})" if self.hint else ""
        line = f"{self.at.file}:{self.at.line}:{self.at.column}: {self.code}: {self.message}{tail}"
        return line if line.isprintable() else "".join(map(_printable, line))


def _printable(character: str) -> str:
    """The character, or its escape: whatever a message quotes, a problem is one line."""
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


class Problems:
    """The problems of one file, as they are found; bounded, so that a hostile file cannot fill the memory."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, at: Position, code: str, message: str, hint: str = "") -> None:
        """Note one problem; past `MAX_PROBLEMS` only the fact that there are more is noted, once."""
        if len(self._found) < MAX_PROBLEMS:
            self._found.append(Problem(at, code, message, hint))
        elif len(self._found) == MAX_PROBLEMS:
            more = f"more than {MAX_PROBLEMS} problems; the others are not listed"
            self._found.append(Problem(at, Code.TOO_MANY_PROBLEMS, more))

    def __len__(self) -> int:
        return len(self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """By place, then code."""
        return tuple(sorted(self._found))
