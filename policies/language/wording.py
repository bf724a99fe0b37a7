"""How messages quote what an author wrote: always on one line, never longer than a line can bear."""

from collections.abc import Iterable

from policies.language.limits import MAX_QUOTED_CHARS


def quoted(text: str) -> str:
    """The text in backticks, cut to `MAX_QUOTED_CHARS`; what would not print is written as an escape."""
    shown = text if len(text) <= MAX_QUOTED_CHARS else text[: MAX_QUOTED_CHARS - 1] + "…"
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
    return f"`{shown}`"


def listed(words: Iterable[str], conjunction: str) -> str:
    """The words in backticks as a sentence has them: `a`, `b` or `c`."""
    return enumerated(map(quoted, words), conjunction)


def enumerated(words: Iterable[str], conjunction: str) -> str:
    """The words as a sentence has them, as they are: a, b or c."""
    *head, last = words
    return f"{', '.join(head)} {conjunction} {last}" if head else last
