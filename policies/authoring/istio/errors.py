"""Why a part of an AuthorizationPolicy is not carried over.

NotCarriedError   one value, field or condition
"""

from policies.authoring.istio.codes import ImportCode
from policies.language.node import Scalar


class NotCarriedError(Exception):
    """The word at `word` cannot be said in a peergate policy; `hint` says how to write it so that it can."""

    def __init__(self, word: Scalar, code: ImportCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.word = word
        self.code = code
        self.message = message
        self.hint = hint
