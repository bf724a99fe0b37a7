"""Which trust entries a presented certificate passes, and until when: the one place where a certificate is judged.

Laws: presented is not verified. `TrustStore.standing` never raises; what surprises it refuses. A certificate that is
known as revoked under any entry passes none.
"""

import math
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from itertools import pairwise

from policies.peer.cache import BoundedCache
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.chain import Authorities, Path, PathSearch
from policies.peer.crl import Crl, CrlKey, crl_key
from policies.peer.errors import CertificateError, CrlError
from policies.peer.fetch_url import FetchUrl
from policies.peer.foreign import survivable, words
from policies.peer.limits import (
    MAX_CACHED_AUTHORITIES,
    MAX_CACHED_AUTHORITY_BYTES,
    MAX_CACHED_PEER_BYTES,
    MAX_CACHED_PEERS,
    MAX_MEMORY_PER_DER_BYTE,
    MEMORY_PER_DER_BYTE,
)
from policies.peer.names import standing_of_names
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.peer.ocsp_answers import NO_ANSWERS, OcspAnswers
from policies.peer.presented import (
    AssertedIdentity,
    MalformedCertificate,
    NamedCaller,
    NoCertificate,
    Presented,
    PresentedCertificate,
)
from policies.peer.revocation import Revocation, RevocationLists
from policies.peer.standing import Candidacy, Standing, Timeline
from policies.peer.svid import svid_paths, svid_problem
from policies.peer.trust_entry import AnchorSource, TrustEntry
from policies.peer.trust_memory import NOTHING_REMEMBERED, TrustMemory
from policies.reason import Reason

__all__ = ["AnchorSource", "Revocation", "Standing", "TrustEntry", "TrustStore"]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An entry with its CAs by name and its own lists."""

    entry: TrustEntry
    authorities: Authorities
    lists: RevocationLists


class TrustStore:
    """Every trust entry of one policy generation, and what it has judged so far (bounded)."""

    def __init__(
        self,
        entries: Iterable[TrustEntry] = (),
        previous: "TrustStore | None" = None,
        answers: OcspAnswers = NO_ANSWERS,
        note_crl: Callable[[FetchUrl], None] = lambda url: None,
        memory: TrustMemory = NOTHING_REMEMBERED,
    ) -> None:
        """`previous`: the store of the last good generation, whose memory goes on; without one, `memory` does.

        `answers`: of responders. `note_crl`: told of each CRL that a leaf names and that may be fetched.

        Raises CrlError if a CRL is not signed by a CA of its entry; `crl_key` tells so for one CRL.
        """
        self.entries = tuple(entries)
        self.answers = answers
        self._note_crl = note_crl
        verified = [(entry, [_keyed(crl, entry) for crl in entry.crls]) for entry in self.entries]
        self._prepared = tuple(
            _Prepared(entry, Authorities.of(entry.anchors, entry.intermediates), RevocationLists(keyed))
            for entry, keyed in verified
        )
        self._timelines: BoundedCache[bytes, Timeline] = BoundedCache(MAX_CACHED_PEERS, MAX_CACHED_PEER_BYTES)
        self._presented: BoundedCache[bytes, tuple[Certificate, ...]] = BoundedCache(
            MAX_CACHED_AUTHORITIES, MAX_CACHED_AUTHORITY_BYTES
        )
        self._signatures: BoundedCache[tuple[bytes, bytes], bool] = BoundedCache(MAX_CACHED_AUTHORITIES)
        # What any entry that looks at revocation knows counts under every entry.
        heeded = [
            (prepared, item)
            for prepared, (entry, keyed) in zip(self._prepared, verified, strict=True)
            if entry.revocation is not Revocation.OFF
            for item in keyed
        ]
        self.lists = RevocationLists(
            (item for _, item in heeded),
            ((anchor, crl) for prepared, (key, crl) in heeded for anchor in self._anchors_above(key, prepared)),
        )
        #: Of this generation and all before it.
        self.memory: TrustMemory = (memory if previous is None else previous.memory).joined(self._known())
        self._revoked_authorities = self._find_revoked_authorities()

    def standing(self, presented: Presented, time: float) -> Standing:
        """Judge `presented` at `time` (epoch seconds) under every entry: dates, chain, SVID rules, revocation."""
        if isinstance(presented, NamedCaller):
            return standing_of_names(presented, self.entries)
        if not isinstance(presented, PresentedCertificate):
            return self._standing_without_certificate(presented)
        try:
            timeline = self._timelines.get(presented.key)
            if timeline is None:
                timeline = self._timeline(presented)
                self._timelines.put(presented.key, timeline, _weight(presented, timeline))
            if timeline.questions:
                timeline = self._answered(presented, timeline)
            return timeline.at(time)
        except BaseException as error:
            if not survivable(error):
                raise
            problem = f"the certificate could not be judged: {words(error)}"
            return Standing(frozenset(), None, Reason.CERTIFICATE_UNTRUSTED, problem, time, time)

    def _standing_without_certificate(
        self, presented: NoCertificate | MalformedCertificate | AssertedIdentity
    ) -> Standing:
        if isinstance(presented, NoCertificate):
            return _NO_CERTIFICATE
        if isinstance(presented, MalformedCertificate):
            return Standing(frozenset(), None, Reason.CERTIFICATE_MALFORMED, presented.problem, -math.inf, math.inf)
        trust = presented.trust.intersection(entry.name for entry in self.entries)
        if trust:
            return Standing(trust, presented.facts, None, "", -math.inf, math.inf)
        problem = "no trust entry of this policy vouches for the caller"
        return Standing(trust, presented.facts, Reason.CERTIFICATE_UNTRUSTED, problem, -math.inf, math.inf)

    def client_ca_ders(self) -> tuple[bytes, ...]:
        """Every anchor and intermediate, DER, each once: the client CAs of a TLS listener."""
        return tuple({ca.der: None for entry in self.entries for ca in entry.authorities})

    @property
    def revoked_authorities(self) -> frozenset[Certificate]:
        """Anchors and intermediates that a CRL lists."""
        return self._revoked_authorities

    def crl_rollbacks(self, previous: "TrustStore") -> Set[CrlKey]:
        """The CAs whose newest CRL here is older than one that `previous` or a generation before it had.

        Or no newer than that of `previous`, and without something that this one lists.
        """
        newest = {key: self.lists.newest(key) for key in self.lists.keys}
        known = previous.memory.crls
        older = {key for key, crl in newest.items() if key in known and crl.age.older_than(known[key])}
        in_force = previous.lists.keys
        return older.union(
            key for key, crl in newest.items() if key in in_force and crl.takes_back(previous.lists.newest(key))
        )

    def crls_gone(self, previous: "TrustStore", entry: TrustEntry) -> frozenset[CrlKey]:
        """The CAs of `entry` that have no CRL here, though they had one in `previous` or a generation before it.

        A CA that was gone for a while, as with a bundle that is told anew, has not been forgiven what it revoked.
        """
        if entry.revocation is Revocation.OFF:
            return frozenset()
        own = frozenset((ca.subject, ca.spki_sha256) for ca in entry.authorities)
        return own & (previous.memory.crls.keys() - self.lists.keys)

    def newer_bundle(self, entry: TrustEntry) -> int | None:
        """The highest number that a bundle of the trust domain had, here or before, if that of `entry` may be older.

        One without a number may be: from before the trust domain numbered its bundles.
        """
        newest = None if entry.spiffe_trust_domain is None else self.memory.bundles.get(entry.spiffe_trust_domain)
        proven = newest is None or (entry.bundle_sequence is not None and entry.bundle_sequence >= newest)
        return None if proven else newest

    def _known(self) -> TrustMemory:
        """What this generation has to remember."""
        bundles = {
            entry.spiffe_trust_domain: entry.bundle_sequence
            for entry in self.entries
            if entry.spiffe_trust_domain is not None and entry.bundle_sequence is not None
        }
        return TrustMemory({key: self.lists.newest(key).age for key in self.lists.keys}, bundles)

    def _timeline(self, presented: PresentedCertificate) -> Timeline:
        leaf = presented.leaf
        problem = _leaf_problem(leaf)
        if problem:
            return Timeline(leaf, problem, ())
        others = tuple(ca for data in presented.intermediates for ca in self._parsed(data))
        candidacies = [
            self._candidacy(leaf, others, prepared, verified=prepared.entry.name == presented.verified_for)
            for prepared in self._prepared
        ]
        return Timeline(leaf, "", candidacies)

    def _answered(self, presented: PresentedCertificate, timeline: Timeline) -> Timeline:
        """`timeline` with what responders have answered by now."""
        answers = tuple(self._answer(question, timeline) for question in timeline.questions)
        if answers == timeline.answers:
            return timeline
        answered = timeline.answered(answers)
        self._timelines.put(presented.key, answered, _weight(presented, answered))
        return answered

    def _answer(self, question: OcspQuestion, timeline: Timeline) -> OcspAnswer | None:
        """The last answer; None too for one whose responder a CRL lists, unless it revokes.

        The CRL may be under another key of the CA, as for any certificate that the CA issued.
        """
        answer = self.answers.latest(question)
        if answer is None or answer.delegate is None or answer.status is OcspStatus.REVOKED:
            return answer
        issuer = question.issuer
        lists = (crl for anchor in timeline.anchors_above(issuer) for crl in self.lists.revoking(issuer, anchor))
        return None if any(answer.delegate in crl.serials for crl in lists) else answer

    def _candidacy(
        self, leaf: Certificate, others: tuple[Certificate, ...], prepared: _Prepared, *, verified: bool
    ) -> Candidacy:
        """`verified`: a path is not asked for. What is found all the same tells of revocation."""
        entry = prepared.entry
        untrusted = entry.problem_of(leaf)
        search = PathSearch(prepared.authorities, others, self._verified, entry.min_rsa_bits)
        if not untrusted:
            search.run(leaf)
        paths, unsound = svid_paths(tuple(search.paths), entry.spiffe_trust_domain)
        proofs = tuple(crl for issuer in _issuers(paths) for crl in prepared.lists.of(issuer))
        asked_of = self._asked_of(leaf, others, prepared, search)
        questions = _questions(leaf, asked_of, entry)
        if asked_of:
            for url in (url for urls in entry.crl_urls for url in urls.named_by(leaf)):
                self._note_crl(url)
        return Candidacy(
            entry=entry.name,
            skew=entry.clock_skew if paths or verified else 0.0,
            untrusted=untrusted,
            paths=paths,
            no_path=search.problem,
            svid_invalid=svid_problem(leaf, entry.spiffe_trust_domain) or ("" if verified else unsound),
            revoked=frozenset(path for path in paths if self._revoked(path.certificates)),
            proofs=proofs if entry.revocation is Revocation.REQUIRE else None,
            questions=questions,
            unnamed=entry.ocsp is not None and not questions,
            verified=verified,
            listed=verified and self.lists.listed(leaf),
        )

    def _asked_of(
        self, leaf: Certificate, others: tuple[Certificate, ...], prepared: _Prepared, search: PathSearch
    ) -> tuple[Certificate, ...]:
        """The issuers of `leaf` of which the entry asks whether they have revoked it.

        Also where the entry refuses the leaf, or a CA above it, by a rule of its own: another entry of the same CA may
        have no such rule, and what is known of a revocation counts there too.
        """
        entry = prepared.entry
        if entry.revocation is Revocation.OFF or not (entry.ocsp or entry.crl_urls):
            return ()
        if not search.paths:
            search = PathSearch(prepared.authorities, others, self._verified)
            search.run(leaf)
        return _issuers(search.paths)

    def _revoked(self, certificates: tuple[Certificate, ...]) -> bool:
        if not self._revoked_authorities.isdisjoint(certificates):
            return True
        anchor = certificates[-1]
        return any(self.lists.revoked(certificate, issuer, anchor) for certificate, issuer in pairwise(certificates))

    def _anchors_above(self, key: CrlKey, prepared: _Prepared) -> frozenset[Certificate]:
        """The anchors of an entry that a CA leads to, or is, whichever of its certificates one takes."""
        found: set[Certificate] = set()
        known = prepared.authorities
        for ca in known.by_name[key[0]]:
            if ca.spki_sha256 == key[1]:
                search = PathSearch(known, (), self._verified)
                search.run(ca)
                found |= {path.certificates[-1] for path in search.paths} | (known.anchors & {ca})
        return frozenset(found)

    def _find_revoked_authorities(self) -> frozenset[Certificate]:
        """Configured CAs, anchors too, that a CRL of another configured CA lists."""
        known = {ca: None for entry in self.entries for ca in entry.authorities}
        return frozenset(
            ca
            for ca in known
            for issuer in known
            if issuer.subject == ca.issuer
            and self.lists.revoked(ca, issuer, issuer)
            # A signature too weak to be verified cannot clear a CA that is listed by name and number.
            and (ca.signature.weakness or self._verified(ca, issuer))
        )

    def _verified(self, child: Certificate, issuer: Certificate) -> bool:
        key = (child.sha256, issuer.spki_sha256)
        known = self._signatures.get(key)
        if known is None:
            known = child.signature.verifies(issuer.public_key)
            self._signatures.put(key, known)
        return known

    def _parsed(self, data: bytes) -> tuple[Certificate, ...]:
        """A presented certificate; empty if it cannot be read: it is only ever a source for path building."""
        known = self._presented.get(data)
        if known is None:
            try:
                known = (certificate_from_der(data),)
            except CertificateError:
                known = ()
            self._presented.put(data, known, len(data) * MAX_MEMORY_PER_DER_BYTE)
        return known


_NO_CERTIFICATE = Standing(frozenset(), None, None, "", -math.inf, math.inf)


def _weight(presented: PresentedCertificate, timeline: Timeline) -> int:
    """Bytes of memory that `timeline` may keep. What no anchor vouches for may be made to be as large as can be."""
    return presented.size * (MEMORY_PER_DER_BYTE if timeline.vouched else MAX_MEMORY_PER_DER_BYTE) + timeline.text_size


def _leaf_problem(leaf: Certificate) -> str:
    """Why no entry can trust `leaf`, in words; empty if one may."""
    if leaf.problems:
        return leaf.problems[0]
    if leaf.is_ca:
        return "a CA certificate does not identify a caller"
    if leaf.extended_key_usage is not None and "clientAuth" not in leaf.extended_key_usage:
        return "its extended key usage lacks clientAuth"
    if leaf.wildcard_sans:
        return f"its SAN {leaf.wildcard_sans[0]!r} is a wildcard and names nobody"
    return ""


def _issuers(paths: Iterable[Path]) -> tuple[Certificate, ...]:
    """The CAs that signed the leaf of `paths`, each once."""
    return tuple(dict.fromkeys(path.certificates[1] for path in paths))


def _questions(leaf: Certificate, issuers: Iterable[Certificate], entry: TrustEntry) -> tuple[OcspQuestion, ...]:
    """What `entry` asks about `leaf`: once for each key of its issuer, however many certificates that has."""
    by_key = {(issuer.subject, issuer.spki_sha256): issuer for issuer in issuers}
    if entry.ocsp is None or not by_key:
        return ()
    source = entry.ocsp.source(leaf)
    return () if source is None else tuple(OcspQuestion.about(leaf, issuer, source) for issuer in by_key.values())


def _keyed(crl: Crl, entry: TrustEntry) -> tuple[CrlKey, Crl]:
    try:
        return crl_key(crl, entry.authorities), crl
    except CrlError as error:
        raise CrlError(f"trust entry {entry.name}: {error}") from error
