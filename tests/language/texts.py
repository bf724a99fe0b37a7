"""What the tests of this folder share: reading a text, and the problems as short tuples."""

from pathlib import Path

from policies.language.document import PolicyDocument
from policies.language.node import Mapping, Node, Scalar, Sequence
from policies.language.problem import Problem, Problems
from policies.language.reading import document_from_bytes
from policies.language.yaml_text import node_from_bytes

#: The policy of DESIGN §2, word for word.
EXAMPLE = (Path(__file__).parent / "example.yaml").read_bytes()


def tree_of(text: str | bytes) -> tuple[Node | None, tuple[Problem, ...]]:
    """The nodes and problems of a file `p`."""
    problems = Problems()
    node = node_from_bytes("p", text.encode() if isinstance(text, str) else text, problems)
    return node, problems.sorted()


def plain(node: Node | None) -> object:
    """A tree without its places, as dicts, lists and strings."""
    match node:
        case Scalar(text):
            return text
        case Sequence(items):
            return [plain(item) for item in items]
        case Mapping(entries):
            return {key.text: plain(value) for key, value in entries}
        case _:
            return node


def places(problems: tuple[Problem, ...]) -> list[tuple[int, int, str]]:
    """Line, column and code of each problem."""
    return [(problem.at.line, problem.at.column, str(problem.code)) for problem in problems]


def codes(text: str | bytes) -> list[str]:
    """The codes of all problems that reading a policy finds."""
    _, problems = document_from_bytes("p", text.encode() if isinstance(text, str) else text)
    return [str(problem.code) for problem in problems]


def document_of(text: str) -> PolicyDocument:
    """The document of a text without problems."""
    document, problems = document_from_bytes("p", text.encode())
    assert document is not None
    assert problems == ()
    return document


def problem_of(text: str) -> Problem:
    """The one problem of a text."""
    (problem,) = document_from_bytes("p", text.encode())[1]
    return problem
