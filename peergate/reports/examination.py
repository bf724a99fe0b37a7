"""The examination of a certificate: chains and checks for people, and as JSON."""

from collections.abc import Iterable
from math import isinf

from rich.console import Console
from rich.text import Text

from peergate.console import print_facts, styled
from peergate.reports.certificate import certificate_object, fingerprint
from policies.authoring.examination import Examination, Verdict
from policies.authoring.examination_chain import ANCHORED, Link, Origin
from policies.authoring.examination_check import Check, Outcome
from policies.authoring.examination_entry import EntryExamination
from policies.authoring.examination_revocation import REVOCATION, Consulted
from policies.authoring.examination_wording import called, utc, validity
from policies.language.wording import quoted
from policies.reason import CERTIFICATE_ORDER

#: Each outcome as it stands in a table, and its style.
_SHOWN = {
    Outcome.PASSED: ("pass", "green"),
    Outcome.FAILED: ("FAIL", "bold red"),
    Outcome.NOT_REACHED: ("not reached", "yellow"),
}
#: Columns of the names and of the outcomes of checks.
_NAME_COLUMNS = 15
_OUTCOME_COLUMNS = 11
_ROLES = {Origin.LEAF: "leaf", Origin.PRESENTED: "CA", Origin.INTERMEDIATES: "CA"} | dict.fromkeys(ANCHORED, "anchor")
_FROM = {
    Origin.PRESENTED: "sent along",
    Origin.INTERMEDIATES: "of `intermediates`",
    Origin.ANCHORS: "of `anchors`",
    Origin.BUNDLE: "of `spiffe_bundle`",
}


def verdict_text(examination: Examination) -> Text:
    """One sentence, and for how long it holds."""
    standing = examination.standing
    if examination.verdict is Verdict.REFUSED:
        said = styled((f"Refused, {examination.reason}: {examination.problem}.", "bold red"))
    elif standing is None:
        said = styled(("Nothing is wrong with the certificate itself.", "bold green"))
    else:
        said = styled((f"Accepted by {' and '.join(sorted(standing.trust))}.", "bold green"))
    if examination.fix:
        said.append("\n").append_text(styled((f"Fix: {examination.fix}.", "bold")))
    until = _until(examination)
    same = "" if until is None else f"; the same until {until}"
    return said.append(f"\nJudged at {utc(examination.time)}{same}.", "dim")


def print_checks(console: Console, examination: Examination) -> None:
    """The checks on the certificate itself, then each trust entry with its chain; the nearest entry comes first."""
    console.print(styled(("The certificate itself", "bold")))
    print_facts(console, _check_rows(examination.checks, (), examination.time), indent=2)
    for entry in sorted(examination.entries, key=lambda entry: _distance(examination, entry)):
        console.print()
        console.print(_entry_title(examination, entry), soft_wrap=True)
        print_facts(console, _chain_rows(entry, examination.time), indent=2)
        console.print()
        print_facts(console, _check_rows(entry.checks, entry.lists, examination.time), indent=2)


def examination_object(examination: Examination) -> dict[str, object]:
    """Verdict, certificate, checks and entries for JSON; `docs/commands.md` gives the fields."""
    standing = examination.standing
    return {
        "verdict": examination.verdict.value,
        "reason": examination.reason,
        "problem": examination.problem,
        "fix": examination.fix,
        "trust": [] if standing is None else sorted(standing.trust),
        "time": utc(examination.time),
        "until": _until(examination),
        "certificate": None if examination.leaf is None else certificate_object(examination.leaf),
        "presented": [certificate_object(certificate) for certificate in examination.presented],
        "unreadable": examination.unreadable,
        "checks": [_check_object(check) for check in examination.checks],
        "entries": [_entry_object(examination, entry) for entry in examination.entries],
    }


def _until(examination: Examination) -> str | None:
    """The last second at which the policy says the same; None if time alone never changes it, or there is no policy."""
    standing = examination.standing
    return None if standing is None or isinf(standing.valid_until) else utc(standing.valid_until)


def _distance(examination: Examination, entry: EntryExamination) -> int:
    """0 for an entry that accepts; the later its reason, the nearer."""
    if examination.accepted_by(entry) or entry.reason is None:
        return 0
    return len(CERTIFICATE_ORDER) - CERTIFICATE_ORDER.index(entry.reason)


def _entry_title(examination: Examination, entry: EntryExamination) -> Text:
    title = (f"Trust entry {entry.entry}: ", "bold")
    if examination.accepted_by(entry):
        return styled(title, ("accepts it", "bold green"))
    if entry.reason is None:
        return styled(title, ("would accept it, but for the certificate itself", "yellow"))
    return styled(title, (f"refuses it, {entry.reason}", "bold red"))


def _chain_rows(entry: EntryExamination, time: float) -> Iterable[tuple[str, Text | str]]:
    for link in entry.links:
        ca = link.certificate
        origin = f" ({_FROM[link.origin]})" if link.origin in _FROM else ""
        fact = styled(called(ca), (origin, "dim"))
        yield _ROLES[link.origin], fact.append(f"\n{validity(ca.not_before, ca.not_after, time)}", "dim")
    top = entry.links[-1]
    if top.origin not in ANCHORED:
        itself = top.certificate.subject == top.certificate.issuer
        issuer = "self-signed, and no anchor" if itself else quoted(top.certificate.issuer.text or "without a name")
        yield "missing", styled((issuer, "red"))


def _check_rows(checks: Iterable[Check], lists: Iterable[Consulted], time: float) -> Iterable[tuple[Text, Text]]:
    for check in checks:
        shown, style = _SHOWN[check.outcome]
        name = styled((f"{check.name:{_NAME_COLUMNS}}", "dim"), (f"{shown:{_OUTCOME_COLUMNS}}", style))
        fact = styled() if check.reason is None else styled((f"{check.reason}: ", "red"))
        fact.append_text(styled(check.finding))
        for item in lists if check.name == REVOCATION else ():
            fact.append_text(Text("\n")).append_text(styled((_list_line(item, time), "dim")))
        if check.fix:
            fact.append_text(Text("\n")).append_text(styled((f"fix: {check.fix}", "bold")))
        yield name, fact


def _list_line(item: Consulted, time: float) -> str:
    crl = item.crl
    number = "" if crl.number is None else f" {crl.number}"
    says = "lists" if item.lists else "does not list"
    spoken = validity(crl.this_update, crl.next_update, time)
    return f"CRL{number} of {quoted(crl.issuer.text)} {says} {called(item.certificate)}: {spoken}"


def _check_object(check: Check) -> dict[str, object]:
    return {
        "check": check.name,
        "result": check.outcome.value,
        "reason": check.reason,
        "finding": check.finding,
        "fix": check.fix,
    }


def _entry_object(examination: Examination, entry: EntryExamination) -> dict[str, object]:
    return {
        "entry": entry.entry,
        "accepts": examination.accepted_by(entry),
        "reason": entry.reason,
        "whole": entry.whole,
        "chain": [_link_object(link) for link in entry.links],
        "checks": [_check_object(check) for check in entry.checks],
        "crls": [_list_object(item, examination.time) for item in entry.lists],
    }


def _link_object(link: Link) -> dict[str, object]:
    certificate = link.certificate
    return {
        "from": link.origin.value,
        "subject": certificate.subject.text,
        "issuer": certificate.issuer.text,
        "not_before": utc(certificate.not_before),
        "not_after": utc(certificate.not_after),
        "fingerprint": fingerprint(certificate),
    }


def _list_object(item: Consulted, time: float) -> dict[str, object]:
    crl = item.crl
    return {
        "issuer": crl.issuer.text,
        "number": crl.number,
        "this_update": utc(crl.this_update),
        "next_update": utc(crl.next_update),
        "current": item.current(time),
        "certificate": fingerprint(item.certificate),
        "listed": item.lists,
    }
