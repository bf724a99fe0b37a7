"""What has ended at a given time, or is about to: time windows, CAs, CRLs."""

from collections.abc import Iterable
from datetime import UTC, datetime

from policies.authoring.limits import ANCHOR_EXPIRY_SECONDS, CRL_EXPIRY_SECONDS
from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places
from policies.engine.policy_set import PolicySet
from policies.language.document import TrustDocument
from policies.peer.trust import TrustEntry

_LONGEST = 253_402_300_799.0


def expiry_findings(policy: PolicySet, places: Places, now: float) -> Iterable[Finding]:
    """`now`: seconds since the epoch."""
    for rule in policy.rules:
        before = rule.when.before if rule.when is not None else None
        if before is not None and before <= now:
            message = f"`{rule.id}` has matched nothing since {_moment(before)}"
            yield Finding(places.rule(rule.id), LintCode.WINDOW_PAST, message, "take it out, or move `before`")
    entries = {entry.name: entry for entry in policy.trust.entries}
    for document in (entry for file in places.documents for entry in file.trust):
        yield from _of_entry(document, entries[document.name.text], now)


def _of_entry(document: TrustDocument, entry: TrustEntry, now: float) -> Iterable[Finding]:
    for authority in entry.authorities:
        if _is_near(authority.not_before, authority.not_after, ANCHOR_EXPIRY_SECONDS, now):
            message = f"the CA `{authority.subject.text}` of `{entry.name}` {_ends(authority.not_after, now)}"
            hint = "add its successor beside it; then certificates of both pass"
            yield Finding(document.name.at, LintCode.ANCHOR_EXPIRING, message, hint)
    for crl in entry.crls:
        if _is_near(crl.this_update, crl.next_update, CRL_EXPIRY_SECONDS, now):
            message = f"the CRL of `{crl.issuer.text}` in `{entry.name}` {_ends(crl.next_update, now)}"
            hint = "put the CA's newest CRL there; past its end a CRL proves nothing good"
            yield Finding(document.name.at, LintCode.CRL_EXPIRING, message, hint)


def _is_near(begin: float, end: float, ahead: float, now: float) -> bool:
    """Whether `end` is at most `ahead` seconds away, or past; what lives shortly is reported in its second half."""
    return end - now < min(ahead, (end - begin) / 2)


def _ends(moment: float, now: float) -> str:
    return f"ended on {_moment(moment)}" if moment < now else f"ends on {_moment(moment)}"


def _moment(epoch: float) -> str:
    return datetime.fromtimestamp(min(epoch, _LONGEST), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
