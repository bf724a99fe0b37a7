"""Identity selectors: which CA may say a thing, and names that refer to names."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from policies.engine.errors import HostInvalid
from policies.engine.host import HostPattern
from policies.engine.pattern import PatternError, SegmentPattern, Wild, uri_pattern
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Anyone,
    Authenticated,
    DigestIn,
    DnsIs,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Not,
    Reference,
    Selector,
    SerialIn,
    TrustIs,
    Unauthenticated,
    UriIs,
)
from policies.language.codes import Code
from policies.language.compiler.findings import Findings
from policies.language.compiler.parts import Parts
from policies.language.compiler.values import (
    digest_from_fingerprint,
    digest_from_pin,
    network_from_text,
    serial_from_text,
)
from policies.language.document import IdentityDocument, NameDocument, SelectorDocument, Texts
from policies.language.node import Scalar
from policies.language.suggestion import Vocabulary, did_you_mean
from policies.language.wording import listed, quoted
from policies.peer.attribute import attribute_oid
from policies.peer.errors import PeerError
from policies.peer.name import DistinguishedName
from policies.peer.preparation import prepared
from policies.peer.spiffe import SpiffeId, claims_spiffe

#: Identities that refer to identities that refer to …; more than this no reviewer follows.
MAX_REFERENCE_DEPTH = 16
#: RFC 3986 §3.1 scheme, then what certificates may hold.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
T = TypeVar("T")
BUILTINS = ("anyone", "authenticated", "unauthenticated")
#: Stands for what could not be compiled; a set with problems is never used, and this matches nobody besides.
_NOBODY = AnyOf(())


class Identities:
    """Compiles selectors against the names of one policy set.

    `trust_domains`: SPIFFE trust domain -> name of the trust entry that it belongs to. `entries`: names of all entries.
    """

    def __init__(
        self,
        documents: Mapping[str, IdentityDocument],
        entries: Iterable[str],
        trust_domains: Mapping[str, str],
        parts: Parts,
        findings: Findings,
    ) -> None:
        self._documents = documents
        self._entries = frozenset(entries)
        self._trust_domains = trust_domains
        self._known = parts
        self._findings = findings
        self._compiled: dict[str, Selector] = {}
        self._open: list[str] = []
        #: How many names deep a compiled identity refers to others.
        self._depths: dict[str, int] = {}
        self._names = Vocabulary([*documents, *BUILTINS])
        self._entry_names = Vocabulary(self._entries)

    def defines(self, name: str) -> bool:
        """Whether the policy defines an identity `name`."""
        return name in self._documents

    def named(self, name: str) -> Selector:
        """The compiled identity `name`, which must be defined."""
        if name not in self._compiled:
            self._open.append(name)
            self._depths[name] = 0
            self._compiled[name] = self._named(self._documents[name])
            self._open.pop()
        return self._compiled[name]

    def _named(self, document: IdentityDocument) -> Selector:
        """Known from before where it refers to no other identity."""
        of = document.selector
        if of.any is not None or of.all is not None or of.not_ is not None:
            return Reference.to(document.name.text, self.selector(of))
        context = self._entries, self._trust_domains
        return self._known.of(
            "identity", document, context, lambda: Reference.to(document.name.text, self.selector(of))
        )

    def caller(self, item: Scalar | SelectorDocument, *, denying: bool = False) -> Selector | None:
        """A name, a built-in identity or an inline selector; None if it names nothing."""
        if isinstance(item, SelectorDocument):
            return self.selector(item, denying=denying)
        if item.text == "anyone" and not denying:
            self._findings.add(
                item,
                Code.BUILTIN_MISPLACED,
                "`anyone` includes callers without a certificate, so it stands only under `deny`",
                "write `authenticated`, or list `unauthenticated` as well",
            )
            return None
        builtin = {"anyone": Anyone(), "authenticated": Authenticated(), "unauthenticated": Unauthenticated()}
        if item.text in builtin:
            return builtin[item.text]
        if item.text not in self._documents:
            self._findings.unknown_name(item, "identity", self._names)
            return None
        return self._referred(item)

    def selector(self, document: SelectorDocument, *, denying: bool = False, trust_named: bool = False) -> Selector:
        """The AND of a mapping's fields. `trust_named`: an enclosing mapping says whose word counts."""
        trust_named = trust_named or bool(document.trust)
        if not trust_named:
            self._check_trust_named(document)
        parts = [*self._trust(document), *self._fields(document)]
        parts += self._combined(document, denying=denying, trust_named=trust_named)
        if not parts:
            return _NOBODY
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _referred(self, name: Scalar) -> Selector | None:
        if name.text in self._open:
            circle = [*self._open[self._open.index(name.text) :], name.text]
            self._findings.add(
                name,
                Code.CYCLE,
                f"identities define each other: {' -> '.join(circle)}",
                "say in one of them what it is without naming the other",
            )
            return None
        if len(self._open) >= MAX_REFERENCE_DEPTH and name.text not in self._compiled:
            self._too_deep(name)
            return None
        target = self.named(name.text)
        depth = self._depths[name.text] + 1
        if depth > MAX_REFERENCE_DEPTH:
            self._too_deep(name)
            return None
        if self._open:
            self._depths[self._open[-1]] = max(self._depths[self._open[-1]], depth)
        return target

    def _too_deep(self, name: Scalar) -> None:
        message = f"identities refer to each other more than {MAX_REFERENCE_DEPTH} levels deep"
        self._findings.add(name, Code.REFERENCES_TOO_DEEP, message, "list the members directly")

    def _combined(self, document: SelectorDocument, *, denying: bool, trust_named: bool) -> Iterable[Selector]:
        def part(item: Scalar | SelectorDocument) -> Selector | None:
            if isinstance(item, SelectorDocument):
                return self.selector(item, denying=denying, trust_named=trust_named)
            return self.caller(item, denying=denying)

        if document.any is not None:
            yield AnyOf(tuple(found for item in document.any if (found := part(item)) is not None))
        if document.all is not None:
            yield AllOf(tuple(found for item in document.all if (found := part(item)) is not None) or (_NOBODY,))
        if document.not_ is not None:
            inner = part(document.not_)
            if inner is not None and inner.may_bind:
                at = document.not_ if isinstance(document.not_, Scalar) else document.not_.at
                message = f"`not` cannot bind {listed(sorted(inner.may_bind), 'and')}: what is absent has no value"
                self._findings.add(at, Code.BINDING_MISPLACED, message, "write `*` instead of the name in braces")
            if inner is not None:
                yield Not(inner)

    def _check_trust_named(self, document: SelectorDocument) -> None:
        if len(self._entries) <= 1:
            return
        fields: list[tuple[str, object]] = [
            ("dns", document.dns),
            ("email", document.email),
            ("ip_san", document.ip_san),
            ("subject", document.subject),
            ("issuer", document.issuer),
            ("serial", document.serial),
            ("uri", tuple(uri for uri in document.uri if not _is_spiffe(uri.text))),
        ]
        tested = [name for name, value in fields if value]
        if tested:
            message = f"any CA may write {listed(tested, 'and')} into a certificate; say whose word counts"
            hint = f"add `trust:` with one of {listed(sorted(self._entries), 'or')}"
            self._findings.add(document.at, Code.TRUST_UNNAMED, message, hint)

    def _trust(self, document: SelectorDocument) -> Iterable[Selector]:
        for entry in document.trust:
            if entry.text not in self._entries:
                self._findings.unknown_name(entry, "trust entry", self._entry_names)
        if document.trust:
            yield TrustIs(frozenset(entry.text for entry in document.trust))

    def _fields(self, document: SelectorDocument) -> Iterable[Selector]:
        read = self._read
        yield from _any_of(list(self._uris(document.uri, frozenset(entry.text for entry in document.trust))))
        yield from _any_of(read(document.dns, _dns))
        yield from _any_of(read(document.email, _email))
        networks = tuple(read(document.ip_san, network_from_text, Code.NETWORK_INVALID))
        if networks:
            yield IpSanIn(networks)
        yield from self._name(document.subject, of_issuer=False)
        yield from self._name(document.issuer, of_issuer=True)
        for texts, value, of_spki in (
            (document.pins, digest_from_pin, True),
            (document.fingerprint, digest_from_fingerprint, False),
        ):
            if texts:
                yield DigestIn(of_spki, frozenset(read(texts, value, Code.VALUE_INVALID)))
        if document.serial:
            yield SerialIn(frozenset(read(document.serial, serial_from_text, Code.VALUE_INVALID)))

    def _read(self, texts: Texts, value: Callable[[str], T], code: Code = Code.PATTERN_INVALID) -> list[T]:
        found: list[T] = []
        for text in texts:
            try:
                found.append(value(text.text))
            except ValueError as error:
                self._findings.add(text, code, str(error))
        return found

    def _uris(self, texts: Texts, named: frozenset[str]) -> Iterable[UriIs]:
        for text in texts:
            for pattern, domain in self._read((text,), _uri):
                if domain is not None:
                    self._check_trust_domain(text, domain, named)
                yield UriIs(pattern, self._trust_domains.get(domain) if domain is not None else None)

    def _check_trust_domain(self, text: Scalar, domain: str, named: frozenset[str]) -> None:
        entry = self._trust_domains.get(domain)
        if entry is None:
            message = f"no trust entry has the SPIFFE trust domain {quoted(domain)}, so this could never match"
            add = f"add `spiffe_trust_domain: {domain}` to the entry that vouches for it"
            hint = did_you_mean(domain, Vocabulary(self._trust_domains)) or add
            self._findings.missing(text, Code.TRUST_DOMAIN_UNKNOWN, message, hint)
        elif named and entry not in named:
            message = f"the trust domain {quoted(domain)} belongs to {quoted(entry)}, which `trust` does not name"
            self._findings.add(text, Code.PATTERN_INVALID, message, "leave `trust` out: the URI already says it")

    def _name(self, document: NameDocument | None, *, of_issuer: bool) -> Iterable[Selector]:
        if document is None:
            return
        if document.text is not None:
            for name in self._read((document.text,), DistinguishedName.parse):
                yield NameIs(of_issuer, name)
        for attribute, values in document.attributes:
            for oid in self._read((attribute,), attribute_oid, Code.VALUE_INVALID):
                yield NameHas(of_issuer, oid, frozenset(self._read(values, prepared)))


def _any_of(parts: list[Selector]) -> Iterable[Selector]:
    if parts:
        yield parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _is_spiffe(text: str) -> bool:
    return claims_spiffe(text)


def _uri(text: str) -> tuple[SegmentPattern, str | None]:
    """The pattern, and its trust domain if it is a spiffe:// one, whose literal parts a SPIFFE ID could have."""
    if not _URI.fullmatch(text):
        raise PatternError(f"{quoted(text)} is not a URI that a certificate can have: a scheme, a colon, visible ASCII")
    pattern = uri_pattern(text)
    if _is_spiffe(text) and not text.startswith("spiffe://"):
        raise PatternError(f"{quoted(text)}: write spiffe:// in lower case, as every SPIFFE ID has it")
    if not _is_spiffe(text):
        return pattern, None
    parts = ["x" if isinstance(part, Wild) else part for part in pattern.segments]
    try:
        return pattern, SpiffeId.parse("/".join([*parts, "x"] if pattern.rest else parts)).trust_domain.name
    except PeerError as error:
        raise PatternError(f"{quoted(text)}: {error}") from None


def _dns(text: str) -> DnsIs:
    try:
        pattern = HostPattern.parse(text.removesuffix("."))
    except HostInvalid as error:
        raise PatternError(str(error)) from None
    if pattern.depth > 1:
        instead = f"*.{pattern.suffix}"
        raise PatternError(f"{quoted(text)}: `**` is for hosts of routes; write {quoted(instead)}, for one label")
    return DnsIs(pattern)


def _email(text: str) -> EmailIs:
    local, at, domain = text.rpartition("@")
    if not (local and at and domain) or "@" in local or not text.isascii() or not text.isprintable() or " " in text:
        raise PatternError(f"{quoted(text)} is not an email address; write name@domain, or *@domain for any name")
    if "*" in domain or ("*" in local and local != "*"):
        raise PatternError(f"{quoted(text)}: `*` stands for the whole part before the @")
    return EmailIs(text.lower())
