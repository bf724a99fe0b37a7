"""One check on a certificate: what it found, what a failure of it is called, and what to do about it.

Law kept here: a check that could not be made says so. It counts neither as passed nor as failed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from policies.reason import Reason


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "pass"
    FAILED = "fail"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class Check:
    """`finding` and `fix` are words for people.

    Only what failed has a `reason`, and a `fix` unless something else is to be mended first.
    """

    name: str
    outcome: Outcome
    finding: str
    reason: Reason | None = None
    fix: str = ""


def passed(name: str, finding: str) -> Check:
    """The check found nothing wrong."""
    return Check(name, Outcome.PASSED, finding)


def failed(name: str, reason: Reason, finding: str, fix: str) -> Check:
    """The check refuses the certificate for `reason`; `fix` says what to do."""
    return Check(name, Outcome.FAILED, finding, reason, fix)


def not_reached(name: str, why: str) -> Check:
    """There was nothing to check."""
    return Check(name, Outcome.NOT_REACHED, why)


def untrusted(name: str, problem: str, finding: str, fix: str) -> Check:
    """Failed as `certificate_untrusted` if there is a `problem`, in words; else passed with `finding`."""
    return failed(name, Reason.CERTIFICATE_UNTRUSTED, problem, fix) if problem else passed(name, finding)


def first_reason(checks: Iterable[Check]) -> Reason | None:
    """The reason of the first check that failed; None if none did."""
    return next((check.reason for check in checks if check.reason is not None), None)
