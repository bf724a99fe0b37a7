"""What can keep an AuthorizationPolicy from being carried over: a closed list of stable words, as `Code` is."""

from enum import StrEnum


class ImportCode(StrEnum):
    """A stable word for one kind of problem of an import; `meaning` says in one line what it stands for."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> "ImportCode":
        """Pair the word with its meaning; the member is the word."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.meaning = meaning
        return code

    INVALID = "istio_invalid", "Something that Istio itself does not take in an AuthorizationPolicy."
    UNSUPPORTED = "istio_unsupported", "A field, condition, action or target that a peergate policy has no words for."
    INEXACT = "istio_inexact", "A pattern that a peergate policy could only say approximately."
    SCOPE = "istio_scope", "It is not clear to which hosts a policy applies."
