"""Methods in small letters are refused: to a rule `delete` is no DELETE, but to many frameworks it is (law 6)."""

from runtime.errors import MalformedQuestionError


def method_in_capitals(method: str) -> str:
    """`method`. Raises MalformedQuestionError if it has small letters."""
    if method != method.upper():
        raise MalformedQuestionError(
            f"the method {method[:40]!r} has small letters, which applications may read as large"
        )
    return method
