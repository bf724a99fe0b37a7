"""What can keep a policy from being exported to Istio: a closed list of stable words, as `Code` is."""

from enum import StrEnum


class ExportCode(StrEnum):
    """A stable word for one kind of problem of an export; `meaning` says in one line what it stands for."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> "ExportCode":
        """Pair the word with its meaning; the member is the word."""
        code = str.__new__(cls, word)
        code._value_ = word
        code.meaning = meaning
        return code

    TRUST = "istio_trust", "The mesh lets in other callers than the trust entries of the policy do."
    CALLER = "istio_caller", "Callers that an AuthorizationPolicy cannot tell from others."
    ROUTE = "istio_route", "Requests that an AuthorizationPolicy cannot tell from others."
    CONDITION = "istio_condition", "A condition, or a setting, that an AuthorizationPolicy has no words for."
