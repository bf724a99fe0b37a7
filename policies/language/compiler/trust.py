"""Trust entries: reads the certificate and CRL files that they name."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from policies.language.codes import Code
from policies.language.compiler.bundles import bundle_of, check_bundle_not_older
from policies.language.compiler.findings import Findings
from policies.language.compiler.values import rsa_bits_from_text, seconds_from_span, skew_from_span
from policies.language.document import OcspDocument, Texts, TrustDocument, UrlDocument, WorkloadApiDocument
from policies.language.live_sources import LiveSources
from policies.language.node import Scalar
from policies.language.surroundings import Surroundings
from policies.language.wording import listed, quoted
from policies.peer.certificate import Certificate, certificates_from_pem
from policies.peer.crl import Crl, CrlKey, crl_from_bytes, crl_key
from policies.peer.crl_source import CrlSource, CrlUrls
from policies.peer.errors import CrlError, PeerError
from policies.peer.fetch_url import FetchUrl, UrlPrefix
from policies.peer.limits import MAX_TRUST_FILE_CERTIFICATES, MIN_RSA_BITS
from policies.peer.ocsp import OcspMethod
from policies.peer.ocsp_responders import OcspResponders
from policies.peer.spiffe import TrustDomain
from policies.peer.trust import AnchorSource, Revocation, TrustEntry, TrustStore

T = TypeVar("T")
_REVOCATION_WORDS = tuple(word.value for word in Revocation)


def trust_store(
    documents: Collection[TrustDocument],
    surroundings: Surroundings,
    findings: Findings,
    previous: TrustStore | None,
    live: LiveSources,
) -> tuple[TrustStore, dict[str, str]]:
    """The compiled entries, and SPIFFE trust domain -> entry name.

    `previous`: the store of the last good generation; no CRL may be older than the one it has of the same CA.
    `live`: what is known beside the files.
    """
    reader = _Reader(surroundings, findings, live.named_crls)
    entries: list[TrustEntry] = []
    domains: dict[str, str] = {}
    for document in documents:
        entry = reader.entry(document)
        entries.append(entry)
        if entry.spiffe_trust_domain is not None and document.spiffe_trust_domain is not None:
            first = domains.setdefault(entry.spiffe_trust_domain.name, entry.name)
            if first != entry.name:
                message = (
                    f"the trust domain {quoted(entry.spiffe_trust_domain.name)} already belongs to {quoted(first)}"
                )
                hint = "list all its anchors in one entry"
                findings.add(document.spiffe_trust_domain, Code.TRUST_DOMAIN_TAKEN, message, hint)
    before = previous or TrustStore(memory=live.memory)
    store = TrustStore(entries, before, live.answers, live.note_crl)
    reader.check_not_older(store, before)
    for document, entry in zip(documents, entries, strict=True):
        check_bundle_not_older(document, entry, before, findings)
        # A process that begins anew serves before it has fetched, too: `revocation` says what holds until then.
        if previous is not None or not entry.unfetched:
            reader.check_not_gone(document, store.crls_gone(before, entry))
    return store, domains


@dataclass(slots=True)
class _Reader:
    """Reads the files of trust entries; `crl_places` remembers which word of the policy brought the CRLs of a CA."""

    surroundings: Surroundings
    findings: Findings
    #: The CRLs that leaves have named so far.
    named_crls: tuple[FetchUrl, ...]
    crl_places: dict[CrlKey, Scalar] = field(default_factory=dict)
    #: Entries of which some CRL could not be read; what is missing there has been reported.
    unread: set[str] = field(default_factory=set)
    #: URLs of the entry that is being read, from which there is no CRL.
    unfetched: list[str] = field(default_factory=list)

    def entry(self, document: TrustDocument) -> TrustEntry:
        """One entry, without what could not be read."""
        domain = self._read(document.spiffe_trust_domain, TrustDomain.parse)
        bundle = bundle_of(document, domain, self.surroundings, self.findings)
        anchors = self._certificates(document.anchors) if bundle is None else bundle.authorities
        intermediates = self._certificates(document.intermediates)
        self.unfetched = []
        # CRLs of a trust domain that is trusted no more are of CAs that nobody knows any more.
        untold = bundle is not None and not bundle.authorities
        crls = () if untold else tuple(self._crls(document, (*anchors, *intermediates)))
        if untold:
            self.unread.add(document.name.text)
        revocation = self._revocation(document)
        sources = document.crls or document.ocsp
        if document.revocation is not None and revocation is Revocation.REQUIRE and not sources:
            at = document.revocation
            message = "`revocation: require` without `crls` or `ocsp` would refuse every certificate of this entry"
            hint = "add `crls:` with the CRL files of its CAs, or `ocsp:` with their responder"
            self.findings.add(at, Code.REVOCATION_WITHOUT_SOURCE, message, hint)
        skew = self._read(document.clock_skew, skew_from_span) or 0.0
        return TrustEntry(
            document.name.text,
            anchors,
            intermediates,
            domain,
            crls,
            revocation,
            self._read(document.max_lifetime, seconds_from_span),
            skew,
            self._read(document.min_rsa_bits, rsa_bits_from_text) or MIN_RSA_BITS,
            None if bundle is None else bundle.sequence,
            tuple(self.unfetched),
            _anchor_source(document),
            None if document.ocsp is None else self._responders(document.ocsp, skew),
            tuple(self._crl_urls(item) for item in document.crls if isinstance(item, UrlDocument) and item.url is None),
        )

    def check_not_older(self, store: TrustStore, previous: TrustStore) -> None:
        """Report CRLs that would take back what a CA has said since."""
        for key in store.crl_rollbacks(previous):
            message = (
                f"the CRL of {quoted(key[0].text)} is older than the one loaded before, or no newer and lists less"
            )
            self.findings.add(self.crl_places[key], Code.CRL_OLDER, message, "put the newest CRL there")

    def check_not_gone(self, document: TrustDocument, gone: Collection[CrlKey]) -> None:
        """Report CAs whose CRL has vanished: what it lists would be good again."""
        for key in gone if document.crls and document.name.text not in self.unread else ():
            message = f"the CRL of {quoted(key[0].text)} that was loaded before is not among `crls` any more"
            hint = "put it back (one with a URL waits until it is fetched), take the CA out, or restart"
            self.findings.add(document.crls[0].at, Code.CRL_MISSING, message, hint)

    def _certificates(self, paths: Texts) -> tuple[Certificate, ...]:
        found: list[Certificate] = []
        for path in paths:
            content = self._file(path, path.text)
            if content is None:
                continue
            try:
                certificates = certificates_from_pem(content, MAX_TRUST_FILE_CERTIFICATES)
            except PeerError as error:
                self.findings.add(path, Code.CERTIFICATE_INVALID, f"{quoted(path.text)}: {error}")
                continue
            found += certificates
            leaves = [certificate.subject.text for certificate in certificates if not certificate.is_ca]
            if leaves:
                message = f"{quoted(path.text)} has a certificate that is no CA: {quoted(leaves[0])}"
                hint = "only CA certificates vouch for others; pin a single certificate with `pins` or `fingerprint`"
                self.findings.add(path, Code.CERTIFICATE_INVALID, message, hint)
        return tuple(found)

    def _crls(self, document: TrustDocument, authorities: tuple[Certificate, ...]) -> Iterable[Crl]:
        for item in document.crls:
            if isinstance(item, UrlDocument):
                yield from self._fetched_crls(item, authorities)
                continue
            paths = self._files(item)
            if not paths:
                self.unread.add(document.name.text)
            for path in paths:
                content = self._file(item, path)
                if content is None:
                    self.unread.add(document.name.text)
                    continue
                try:
                    crl = crl_from_bytes(content)
                    self.crl_places[crl_key(crl, authorities)] = item
                except CrlError as error:
                    self.unread.add(document.name.text)
                    hint = "name a CRL, PEM or DER, of a CA of this entry"
                    self.findings.add(item, Code.CRL_INVALID, f"{quoted(path)}: {error}", hint)
                else:
                    yield crl

    def _fetched_crls(self, item: UrlDocument, authorities: tuple[Certificate, ...]) -> Iterable[Crl]:
        """The last good CRLs. None yet is no problem: `revocation` says what holds until there is one."""
        urls = self._crl_urls(item)
        if item.url is None:
            for named in filter(urls.covers, self.named_crls):
                source = CrlSource(named, urls.allow_private, authorities, named=True)
                yield from self._fetched(source, item.certificate_urls[0])
        elif (url := self._read(item.url, FetchUrl.parse)) is not None:
            yield from self._fetched(CrlSource(url, urls.allow_private, authorities), item.url)

    def _fetched(self, source: CrlSource, at: Scalar) -> Iterable[Crl]:
        content = self.surroundings.fetched(source)
        if content is None:
            self.unfetched.append(source.url.text)
            return
        try:
            key, crl = source.verified(content)
        except CrlError as error:
            self.findings.add(at, Code.CRL_INVALID, f"{quoted(source.url.text)}: {error}")
        else:
            self.crl_places[key] = at
            yield crl

    def _crl_urls(self, item: UrlDocument) -> CrlUrls:
        prefixes = (self._read(text, UrlPrefix.parse) for text in item.certificate_urls)
        return CrlUrls(tuple(prefix for prefix in prefixes if prefix is not None), self._flag(item.allow_private))

    def _responders(self, document: OcspDocument, skew: float) -> OcspResponders:
        """Whom to ask; nobody where that was not readable, which is a problem then."""
        prefixes = (self._read(text, UrlPrefix.parse) for text in document.certificate_urls)
        return OcspResponders(
            self._read(document.url, FetchUrl.parse),
            tuple(prefix for prefix in prefixes if prefix is not None),
            self._flag(document.allow_private),
            self._read(document.method, _method_from_text) or OcspMethod.POST,
            self._flag(document.nonce),
            skew,
        )

    def _flag(self, text: Scalar | None) -> bool:
        if text is not None and text.text not in {"true", "false"}:
            message = f"{quoted(text.text)} is neither `true` nor `false`"
            self.findings.add(text, Code.VALUE_INVALID, message, "write one of them")
        return text is not None and text.text == "true"

    def _files(self, item: Scalar) -> tuple[str, ...]:
        """The file itself, or those directly in the folder."""
        names = self.surroundings.folder(item.text)
        if names is None:
            return (item.text,)
        if not names:
            message = f"the folder {quoted(item.text)} has no files"
            self.findings.add(item, Code.FILE_UNREADABLE, message, "put the CRLs there, or leave it out")
        return tuple(f"{item.text.rstrip('/')}/{name}" for name in names)

    def _file(self, at: Scalar, path: str) -> bytes | None:
        try:
            return self.surroundings.read(path)
        except OSError as error:
            message = f"cannot read {quoted(path)}: {error.strerror or error}"
            self.findings.add(at, Code.FILE_UNREADABLE, message, "paths are relative to the policy's folder")
            return None

    def _revocation(self, document: TrustDocument) -> Revocation:
        if document.revocation is None:
            return Revocation.IF_AVAILABLE
        if document.revocation.text not in _REVOCATION_WORDS:
            message = f"{quoted(document.revocation.text)} is not a word for `revocation`"
            hint = f"write {listed(_REVOCATION_WORDS, 'or')}"
            self.findings.add(document.revocation, Code.VALUE_INVALID, message, hint)
            return Revocation.IF_AVAILABLE
        return Revocation(document.revocation.text)

    def _read(self, text: Scalar | None, value: Callable[[str], T]) -> T | None:
        if text is None:
            return None
        try:
            return value(text.text)
        except ValueError as error:
            self.findings.add(text, Code.VALUE_INVALID, str(error))
            return None


def _anchor_source(document: TrustDocument) -> AnchorSource:
    if document.spiffe_bundle is None:
        return AnchorSource.ANCHORS
    return AnchorSource.WORKLOAD_API if isinstance(document.spiffe_bundle, WorkloadApiDocument) else AnchorSource.BUNDLE


def _method_from_text(text: str) -> OcspMethod:
    if text not in set(OcspMethod):
        raise ValueError(f"{quoted(text)} is no way to ask; write {listed(OcspMethod, 'or')}")
    return OcspMethod(text)
