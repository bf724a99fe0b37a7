"""`generate` in policy tests -> the certificate that is to be made."""

from policies.authoring.claim import Claim, ClaimError, asserted_from_claim
from policies.authoring.suite_document import GenerateDocument
from policies.authoring.wish import Wish
from policies.language.codes import Code
from policies.language.compiler.values import epoch_from_moment, serial_from_text
from policies.language.node import Scalar
from policies.language.problem import Problems
from policies.language.wording import quoted
from policies.peer.trust import TrustStore

#: The fields that an asserted identity has too, and that are checked as there.
_CLAIMED = ("uri", "dns", "email", "ip_san", "subject", "issuer", "serial")
_WORDS = {"true": True, "false": False}
_USAGES = frozenset({"client", "server"})


def wish_from_document(document: GenerateDocument, trust: TrustStore, problems: Problems) -> Wish | None:
    """The wish; None if something is wrong with it, which is noted."""
    before = len(problems)
    entry = _entry(document, trust, problems)
    usages = _usages(document, problems)
    expired, revoked, untrusted = (
        _flag(word, problems) for word in (document.expired, document.revoked, document.untrusted)
    )
    start, end = _moment(document.not_before, problems), _moment(document.not_after, problems)
    _check_dates(document, start, end, problems)
    if len(problems) > before:
        return None
    return Wish(
        entry,
        _texts(document.uri),
        _texts(document.dns),
        _texts(document.email),
        _texts(document.ip_san),
        _text(document.subject),
        _text(document.issuer),
        None if document.serial is None else serial_from_text(document.serial.text),
        start,
        end,
        expired=expired,
        revoked=revoked,
        untrusted=untrusted,
        client="client" in usages,
        server="server" in usages,
    )


def _entry(document: GenerateDocument, trust: TrustStore, problems: Problems) -> str:
    """The name of the trust entry, said or told by the names; what else is wrong with the names is noted."""
    said = {name: _texts(getattr(document, name)) for name in _CLAIMED}
    named = None if document.trust is None else (document.trust.text,)
    try:
        found = asserted_from_claim(Claim(**said, trust=named), trust).trust
    except ClaimError as error:
        values = getattr(document, error.field)
        values = values if isinstance(values, tuple) else (values,)
        at = values[error.index].at if error.index < len(values) and values[error.index] else document.at
        problems.add(at, Code.VALUE_INVALID, f"{quoted(error.field)}: {error}")
        return ""
    known = [entry.name for entry in trust.entries if entry.name in found]
    if known:
        return known[0]
    at, name = (document.at, None) if document.trust is None else (document.trust.at, document.trust.text)
    message = (
        "no trust entry of the policy has this SPIFFE trust domain"
        if name is None
        else f"the policy has no trust entry named {quoted(name)}"
    )
    problems.add(at, Code.NAME_UNKNOWN, message, f"there are: {', '.join(entry.name for entry in trust.entries)}")
    return ""


def _usages(document: GenerateDocument, problems: Problems) -> set[str]:
    for usage in document.usage:
        if usage.text not in _USAGES:
            message = f"{quoted(usage.text)} is not an extended key usage"
            problems.add(usage.at, Code.VALUE_INVALID, message, "write client, server, or both")
    return {usage.text for usage in document.usage} or {"client"}


def _check_dates(document: GenerateDocument, start: float | None, end: float | None, problems: Problems) -> None:
    if start is not None and end is not None and end <= start and document.not_after is not None:
        message = "`not_after` does not lie behind `not_before`"
        problems.add(document.not_after.at, Code.WINDOW_EMPTY, message, "no certificate is ever valid so")
    if document.expired is not None and (start is not None or end is not None):
        message = "`expired` chooses the dates itself; `not_before` and `not_after` cannot stand beside it"
        problems.add(document.expired.at, Code.KEYS_CONFLICT, message, "remove one of them")


def _flag(word: Scalar | None, problems: Problems) -> bool:
    if word is None:
        return False
    if word.text not in _WORDS:
        problems.add(word.at, Code.VALUE_INVALID, f"{quoted(word.text)} is neither `true` nor `false`")
    return _WORDS.get(word.text, False)


def _moment(moment: Scalar | None, problems: Problems) -> float | None:
    if moment is None:
        return None
    try:
        return epoch_from_moment(moment.text)
    except ValueError as error:
        problems.add(moment.at, Code.VALUE_INVALID, str(error))
        return None


def _texts(value: Scalar | tuple[Scalar, ...] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value.text,) if isinstance(value, Scalar) else tuple(text.text for text in value)


def _text(value: Scalar | None) -> str:
    return "" if value is None else value.text
