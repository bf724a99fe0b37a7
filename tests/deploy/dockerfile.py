"""A Dockerfile as its instructions."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. `words`: its arguments as one line, continuation lines joined."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands from one FROM to the next. `name`: "" if it has none."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def all(self, name: str) -> list[str]:
        """The arguments of every instruction of that name."""
        return [one.words for one in self.instructions if one.name == name]


def instructions(path: Path) -> list[Instruction]:
    """Every instruction of a file; comments are left out, also those between continuation lines."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def stages(path: Path) -> list[Stage]:
    """The stages of a file, with the build arguments before the first FROM put in place."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for one in instructions(path):
        if one.name == "FROM":
            base, _, name = one.words.partition(" AS ")
            found.append(Stage(_replaced(base, arguments), name, ()))
        elif found:
            last = found[-1]
            found[-1] = Stage(last.base, last.name, (*last.instructions, one))
        else:
            assert one.name == "ARG"
            key, _, value = one.words.partition("=")
            arguments[key] = value
    return found


def _replaced(text: str, arguments: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], text)
