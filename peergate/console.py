"""Where the command prints: tables and colour for people, plain lines for pipes.

Law kept here: what came from outside (a path of a request, a name in a certificate) is printed as text. It can neither
move the cursor nor look like markup.
"""

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text

#: Columns where no terminal says how many it has: CI logs are wide, and a wrapped table is hard to read.
_COLUMNS_WITHOUT_TERMINAL = 120
#: Columns that a fact has at least, however narrow the terminal.
_NARROWEST = 20


def console_for(stream: TextIO) -> Console:
    """A console that colours only on a terminal, and not with NO_COLOR."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else _COLUMNS_WITHOUT_TERMINAL
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, legacy_windows=False)


def stdout() -> Console:
    """The console for answers."""
    return console_for(sys.stdout)


def stderr() -> Console:
    """The console for everything else: errors, progress, what to do next."""
    return console_for(sys.stderr)


def plain(text: str) -> str:
    """`text` with an escape for every character that does not print as itself."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Texts, some with a style, in a row; all of them printed as they are."""
    return Text.assemble(*((plain(part), "") if isinstance(part, str) else (plain(part[0]), part[1]) for part in parts))


def print_wrapped(console: Console, text: Text) -> None:
    """`text` on lines as wide as the console, none of which ends in blanks."""
    for line in text.wrap(console, console.width, overflow="fold"):
        line.rstrip()
        console.print(line, soft_wrap=True)


def print_facts(console: Console, facts: Iterable[tuple[Text | str, Text | str]], indent: int = 0) -> None:
    """Names on the left, facts on the right, wrapped under themselves. A fact without a name continues the last one.

    Unlike a table, it leaves no blanks at the ends of lines, so that people can copy it.
    """
    rows = [
        (Text(name, "dim") if isinstance(name, str) else name, styled(fact) if isinstance(fact, str) else fact)
        for name, fact in facts
    ]
    margin = indent + max((len(name) for name, _ in rows), default=0) + 2
    for name, fact in rows:
        lines = fact.wrap(console, max(console.width - margin, _NARROWEST), overflow="fold")
        for number, line in enumerate(lines):
            left = Text(" " * indent) + (name if number == 0 else Text())
            left.pad_right(margin - len(left))
            line.rstrip()
            left += line
            left.rstrip()
            console.print(left, soft_wrap=True)


def error_line(message: str) -> None:
    """One line on standard error."""
    stderr().print(styled(("peergate: ", "bold red"), message.replace("\n", " ")), soft_wrap=True)
