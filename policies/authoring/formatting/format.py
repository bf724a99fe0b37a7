"""A policy file, or a file of tests, in the one style.

Law kept here: the formatted text says what the text said. Both are read and compared; if they differed, nothing would
come out. Formatting what is formatted changes nothing.
"""

from collections import Counter

from policies.authoring.formatting.layout import Layout
from policies.authoring.formatting.source import comments_from_text, root_from_text
from policies.language.node import plain_from_node
from policies.language.problem import Problem, Problems
from policies.language.yaml_text import node_from_bytes


class FormatError(Exception):
    """A bug: the text cannot be formatted without changing what it says."""


def formatted(file: str, data: bytes) -> tuple[bytes | None, tuple[Problem, ...]]:
    """`data` in the style, or the problems why it is no text of this language. Raises FormatError."""
    said, problems = _said(file, data)
    if problems:
        return None, problems
    text = data.decode().replace("\r\n", "\n")
    new = Layout(text, comments_from_text(text)).written(root_from_text(text))
    if _said(file, new.encode()) != (said, ()) or _remarks(text) - _remarks(new):
        raise FormatError(f"{file}: this layout cannot be formatted without changing what it says; report it")
    return new.encode(), ()


def _remarks(text: str) -> Counter[str]:
    """Every comment, with how often it stands there."""
    return Counter(comment.text for comment in comments_from_text(text))


def _said(file: str, data: bytes) -> tuple[object, tuple[Problem, ...]]:
    problems = Problems()
    node = node_from_bytes(file, data, problems)
    return None if node is None else plain_from_node(node), problems.sorted()
