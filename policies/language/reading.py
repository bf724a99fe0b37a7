"""Bytes of one policy file -> the authored document, with every problem of its text and shape (law 3)."""

from policies.language.document import PolicyDocument
from policies.language.policy_table import POLICY
from policies.language.problem import Problem, Problems
from policies.language.shape import WHOLE_FILE
from policies.language.yaml_text import node_from_bytes


def document_from_bytes(file: str, data: bytes) -> tuple[PolicyDocument | None, tuple[Problem, ...]]:
    """The document of `data`, and its problems by place; `file` is the name that problems give. Never raises.

    None if the file has no readable mapping. With problems the document is what could be read: a part that is wrong is
    left out, though named things keep their name, so that the compiler finds what else is wrong. Such a document
    may say more than its author meant; it must never decide anything.
    """
    problems = Problems()
    node = node_from_bytes(file, data, problems)
    document = None if node is None else POLICY.read(node, WHOLE_FILE, problems)
    return document, problems.sorted()
