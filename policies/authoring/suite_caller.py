"""Callers of policy tests -> what they present: a certificate, an asserted identity, or nothing."""

from dataclasses import dataclass

from policies.authoring.claim import CLAIM_FIELDS, Claim, ClaimError, asserted_from_claim
from policies.authoring.suite_document import CallerDocument, GenerateDocument, NamedCallerDocument, Texts
from policies.authoring.suite_table import UNAUTHENTICATED
from policies.authoring.suite_wish import wish_from_document
from policies.authoring.wish import CertificateMaker, Wish
from policies.language.codes import Code
from policies.language.node import Scalar
from policies.language.problem import Problems
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.surroundings import Surroundings
from policies.language.wording import quoted
from policies.peer.errors import PeerError
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.pem import der_from_pem
from policies.peer.presented import NO_CERTIFICATE, Presented, presented_from_der
from policies.peer.trust import TrustStore


@dataclass(frozen=True, slots=True)
class LabelledCaller:
    """What a caller presents, or the certificate that is made for it, and how the author calls it."""

    label: str
    shown: Presented | Wish


class CallerReader:
    """Reads `as` against the `callers` of one file and the trust entries of the policy."""

    def __init__(
        self,
        named: tuple[NamedCallerDocument, ...],
        trust: TrustStore,
        surroundings: Surroundings,
        maker: CertificateMaker,
        now: float,
        problems: Problems,
    ) -> None:
        self._maker = maker
        self._now = now
        self._trust = trust
        self._trust_names = Vocabulary(entry.name for entry in trust.entries)
        self._surroundings = surroundings
        self._problems = problems
        self._named = {item.name.text: self._defined(item) for item in named}

    def caller(self, item: Scalar | CallerDocument) -> LabelledCaller | None:
        """A name or a mapping; None if it is wrong, which is noted."""
        if isinstance(item, CallerDocument):
            return self._described(item, _label(item))
        if item.text == UNAUTHENTICATED:
            return LabelledCaller(UNAUTHENTICATED, NO_CERTIFICATE)
        if item.text not in self._named:
            hint = did_you_mean(item.text, Vocabulary([*self._named, UNAUTHENTICATED]))
            message = f"there is no caller named {quoted(item.text)}"
            self._problems.add(item.at, Code.NAME_UNKNOWN, message, hint or "define it under `callers`")
            return None
        return self._named[item.text]

    def _defined(self, item: NamedCallerDocument) -> LabelledCaller | None:
        if isinstance(item.caller, CallerDocument):
            return self._described(item.caller, item.name.text)
        if item.caller.text == UNAUTHENTICATED:
            return LabelledCaller(item.name.text, NO_CERTIFICATE)
        message = f"{quoted(item.caller.text)} is no caller"
        self._problems.add(item.caller.at, Code.VALUE_INVALID, message, f"write {UNAUTHENTICATED}, or a mapping")
        return None

    def _described(self, document: CallerDocument, label: str) -> LabelledCaller | None:
        shown = self._shown(document)
        return None if shown is None else LabelledCaller(label, shown)

    def _shown(self, document: CallerDocument) -> Presented | Wish | None:
        texts: dict[str, Texts] = {name: getattr(document, name) for name in CLAIM_FIELDS}
        if not self._stands_alone(document, texts):
            return None
        if document.generate is not None:
            return self._wish(document.generate)
        if document.certificate is not None:
            return self._certificate(document.certificate)
        said = {name: tuple(text.text for text in values) for name, values in texts.items() if values}
        self._check_trust(texts["trust"])
        try:
            return asserted_from_claim(Claim(**said), self._trust)
        except ClaimError as error:
            values = texts[error.field]
            at = values[error.index].at if error.index < len(values) else document.at
            self._problems.add(at, Code.VALUE_INVALID, f"{quoted(error.field)}: {error}")
            return None

    def _check_trust(self, names: Texts) -> None:
        known = {entry.name for entry in self._trust.entries}
        for name in names:
            if name.text not in known:
                hint = did_you_mean(name.text, self._trust_names)
                message = f"the policy has no trust entry named {quoted(name.text)}"
                self._problems.add(name.at, Code.NAME_UNKNOWN, message, hint)

    def _stands_alone(self, document: CallerDocument, texts: dict[str, Texts]) -> bool:
        """Whether nothing stands beside a certificate, which says all itself."""
        if document.certificate is None and document.generate is None:
            return True
        beside = [name for name, values in texts.items() if values]
        if document.certificate is not None and document.generate is not None:
            beside.insert(0, "generate")
        if beside:
            at = document.at if document.certificate is None else document.certificate.at
            message = f"a certificate says itself what it proves; {quoted(beside[0])} cannot stand beside it"
            self._problems.add(at, Code.KEYS_CONFLICT, message, "remove one of them")
        return not beside

    def _wish(self, document: GenerateDocument) -> Wish | None:
        wish = wish_from_document(document, self._trust, self._problems)
        try:
            if wish is not None:
                self._maker.presented(wish, self._now)
        except ValueError as error:
            self._problems.add(document.at, Code.VALUE_INVALID, f"no certificate can say this: {error}")
            return None
        return wish

    def _certificate(self, path: Scalar) -> Presented | None:
        try:
            text = self._surroundings.read(path.text).decode("ascii")
            leaf, *others = der_from_pem(text, limit=1 + MAX_INTERMEDIATES, explained=True)
            return presented_from_der(leaf, others)
        except OSError as error:
            message = f"{quoted(path.text)} cannot be read: {error.strerror or error}"
            self._problems.add(path.at, Code.FILE_UNREADABLE, message, "paths are relative to the policy's folder")
        except (PeerError, UnicodeDecodeError) as error:
            self._problems.add(path.at, Code.CERTIFICATE_INVALID, f"{quoted(path.text)}: {error}")
        return None


def _label(document: CallerDocument) -> str:
    """How an inline caller is called in results: by the first name that it has."""
    if document.certificate is not None:
        return document.certificate.text
    said = document if document.generate is None else document.generate
    for values in (said.uri, said.dns, said.email, said.ip_san, document.subject, document.pins):
        if values:
            return values[0].text
    return "an identity" if document.generate is None else "a certificate"
