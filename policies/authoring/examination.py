"""Why a certificate is accepted or refused: every check on it, in order, and what to do about those that failed.

Laws kept here: the verdict is that of `TrustStore.standing`, never our own, and tests hold every check against it.
Looking at a certificate changes nothing and lets nobody in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from policies.authoring.examination_check import Check, first_reason
from policies.authoring.examination_entry import EntryExamination, examinations_under_entries, key_usage_check
from policies.authoring.examination_leaf import checks_from_leaf, checks_of_unreadable, entries_check
from policies.authoring.examination_svid import lone_svid_check
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import CertificateError
from policies.peer.presented import MalformedCertificate, PresentedCertificate
from policies.peer.standing import Standing
from policies.peer.trust import TrustStore
from policies.reason import Reason


class Verdict(StrEnum):
    """What became of the certificate. `undecided`: it is fine by itself, and there is no policy to ask."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Examination:
    """One certificate and all that is to say of it at `time`, epoch seconds.

    - `leaf`: None if it cannot be read. `presented`: the certificates that came with it, without so many `unreadable`.
    - `standing`: what the policy says of it; None if there is no policy.
    - `checks`: on the certificate itself. `entries`: what each trust entry says, in the order of the policy.
    """

    time: float
    leaf: Certificate | None
    presented: tuple[Certificate, ...]
    unreadable: int
    standing: Standing | None
    checks: tuple[Check, ...]
    entries: tuple[EntryExamination, ...]

    @property
    def reason(self) -> Reason | None:
        """Why it is refused; None if it is not."""
        return first_reason(self.checks) if self.standing is None else self.standing.reason

    @property
    def problem(self) -> str:
        """What is wrong, in words; empty if it is not refused."""
        if self.standing is not None:
            return self.standing.problem
        return next((check.finding for check in self.checks if check.reason is not None), "")

    @property
    def fix(self) -> str:
        """What to do about it first, in words; empty if it is not refused."""
        if self.reason is None:
            return ""
        decisive = (entry.checks for entry in self.entries if entry.reason is self.reason)
        checks = (check for group in (self.checks, *decisive) for check in group)
        return next((check.fix for check in checks if check.fix), "")

    @property
    def verdict(self) -> Verdict:
        """Whether it is refused, accepted, or neither for want of a policy."""
        if self.reason is not None:
            return Verdict.REFUSED
        return Verdict.UNDECIDED if self.standing is None else Verdict.ACCEPTED

    def accepted_by(self, entry: EntryExamination) -> bool:
        """Whether `entry` is one that the certificate passes."""
        return self.standing is not None and entry.entry in self.standing.trust


def examination_from_presented(
    presented: PresentedCertificate | MalformedCertificate, time: float, store: TrustStore | None
) -> Examination:
    """Look at `presented` at `time` (epoch seconds) as the trust entries of a policy do; None = there is no policy."""
    standing = None if store is None else store.standing(presented, time)
    if isinstance(presented, MalformedCertificate):
        return Examination(time, None, (), 0, standing, checks_of_unreadable(presented.problem), ())
    leaf = presented.leaf
    others = tuple(_readable(presented.intermediates))
    unreadable = len(presented.intermediates) - len(others)
    if store is None:
        checks = (*checks_from_leaf(leaf, time), lone_svid_check(leaf) or key_usage_check(leaf, svid=False))
        return Examination(time, leaf, others, unreadable, standing, checks, ())
    entries = examinations_under_entries(store, leaf, others, time)
    own = checks_from_leaf(leaf, time, max((entry.skew for entry in entries), default=0.0))
    return Examination(time, leaf, others, unreadable, standing, (*own, *entries_check(entries)), entries)


def _readable(ders: Iterable[bytes]) -> Iterable[Certificate]:
    """Those that can be read; the others are no help, and no harm."""
    for data in ders:
        try:
            yield certificate_from_der(data)
        except CertificateError:
            continue
