"""What the checks of an examination come to, by their order alone, to hold against `TrustStore.standing`."""

from policies.authoring.examination import Examination
from policies.authoring.examination_check import Check, Outcome, first_reason
from policies.reason import CERTIFICATE_ORDER, Reason


def verdict_by_checks(examination: Examination) -> tuple[Reason | None, frozenset[str]]:
    """The reason and the entries that accept, from nothing but the checks."""
    own = first_reason(examination.checks)
    if own is not None:
        return own, frozenset()
    reasons = [entry.reason for entry in examination.entries if entry.reason is not None]
    trust = frozenset(entry.entry for entry in examination.entries if entry.reason is None)
    return (None, trust) if trust else (max(reasons, key=CERTIFICATE_ORDER.index, default=None), trust)


def verdict_of_product(examination: Examination) -> tuple[Reason | None, frozenset[str]]:
    """What the policy itself says."""
    assert examination.standing is not None
    return examination.standing.reason, examination.standing.trust


def all_checks(examination: Examination) -> list[Check]:
    return [*examination.checks, *(check for entry in examination.entries for check in entry.checks)]


def failures(examination: Examination) -> dict[str, Check]:
    """Those that failed, by name; the first of equals."""
    found: dict[str, Check] = {}
    for check in all_checks(examination):
        if check.outcome is Outcome.FAILED:
            found.setdefault(check.name, check)
    return found


def outcomes(examination: Examination) -> dict[str, str]:
    """Every check by name, with what became of it; for a policy with one entry."""
    return {check.name: check.outcome.value for check in all_checks(examination)}
