"""What a connection presented, as an enforcement point saw it.

Law: nothing here is verified. `TrustStore.standing` judges it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from policies.peer.certificate import Certificate, IdentityFacts, certificate_from_der
from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_INTERMEDIATES, MAX_PRESENTED_BYTES
from policies.peer.pem import der_from_pem


@dataclass(frozen=True, slots=True)
class NoCertificate:
    """The caller presented no certificate."""


@dataclass(frozen=True, slots=True)
class MalformedCertificate:
    """Something was presented that cannot be read as one certificate; `problem` says what, for people."""

    problem: str


@dataclass(frozen=True, slots=True)
class PresentedCertificate:
    """A readable leaf and the certificates that came with it.

    `intermediates` are DER, unverified, only ever a source for path building. `key` is SHA-256 over leaf and
    intermediates (and `verified_for`): equal keys mean equal bytes, so caches may use it. `size`: bytes of all of them.
    `verified_for`: the trust entry for which, by the operator's word, the proxy that showed it has built a path
    (`--proxy-verified`, law 8); None = nobody has.
    """

    leaf: Certificate
    intermediates: tuple[bytes, ...]
    key: bytes = field(repr=False)
    size: int = field(repr=False)
    verified_for: str | None = None


@dataclass(frozen=True, slots=True)
class AssertedIdentity:
    """An identity that policy tests, `explain --uri` and replayed `identity` lines assert, without certificate checks.

    Never built from network input. `trust` names the entries it counts as having passed.
    """

    facts: IdentityFacts
    trust: frozenset[str]
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NamedCaller:
    """The names of a certificate that is not shown, as the proxy tells them that verified it for one trust entry.

    `facts`: what was told; all else is unknown. `verified_for`: the trust entry, by the operator's word (law 8).
    """

    facts: IdentityFacts
    verified_for: str
    key: bytes = field(repr=False)


Presented = NoCertificate | MalformedCertificate | PresentedCertificate | AssertedIdentity | NamedCaller

#: The one value that stands for "no certificate was presented".
NO_CERTIFICATE = NoCertificate()


def presented_from_der(leaf: bytes, intermediates: Sequence[bytes] = ()) -> PresentedCertificate:
    """What a peer presents as DER: a leaf, and the certificates that came after it. Raises CertificateError only."""
    return presented_from_certificate(certificate_from_der(leaf), intermediates)


def presented_from_certificate(leaf: Certificate, intermediates: Sequence[bytes] = ()) -> PresentedCertificate:
    """A parsed leaf and the certificates that came after it, DER. Raises CertificateError if they exceed the limits."""
    if len(intermediates) > MAX_INTERMEDIATES:
        raise CertificateError(f"more than {MAX_INTERMEDIATES} certificates beside the leaf")
    size = len(leaf.der) + sum(map(len, intermediates))
    if size > MAX_PRESENTED_BYTES:
        raise CertificateError(f"leaf and intermediates have {size} bytes, at most {MAX_PRESENTED_BYTES} are read")
    key = hashlib.sha256(leaf.sha256)
    for data in intermediates:
        key.update(hashlib.sha256(data).digest())
    return PresentedCertificate(leaf, tuple(bytes(data) for data in intermediates), key.digest(), size)


def proxy_verified(presented: PresentedCertificate, entry: str) -> PresentedCertificate:
    """The same certificate, for which a proxy has built a path to the CAs of `entry`."""
    key = hashlib.sha256(presented.key + entry.encode()).digest()
    return replace(presented, key=key, verified_for=entry)


def named_caller(facts: IdentityFacts, entry: str) -> NamedCaller:
    """A caller of whom `uri`, `dns`, `subject` and `cert_sha256` are told, None where not, and nothing else."""
    # What other form an ECDSA certificate of this digest has is not told either (see `twin`).
    facts = IdentityFacts(
        facts.uri, facts.dns, None, None, facts.subject, cert_sha256=facts.cert_sha256, twin_sha256=None
    )
    names = (facts.uri, facts.dns, facts.subject and facts.subject.text, facts.cert_sha256, entry)
    return NamedCaller(facts, entry, hashlib.sha256(repr(names).encode("utf-8", "surrogatepass")).digest())


def presented_from_pem(leaf: str, chain: str = "") -> PresentedCertificate:
    """What a proxy forwards as PEM: a leaf, and a chain that starts with it. Raises CertificateError only."""
    (der,) = der_from_pem(leaf, limit=1)
    certificate = certificate_from_der(der)
    return presented_from_certificate(certificate, intermediates_from_chain(certificate, chain))


def intermediates_from_chain(leaf: Certificate, chain: str) -> tuple[bytes, ...]:
    """The certificates after `leaf` in a PEM chain, DER.

    A chain is only a source of intermediates: one that cannot be read, or whose first certificate is not byte-equal to
    the leaf, gives none.
    """
    try:
        blocks = der_from_pem(chain, limit=1 + MAX_INTERMEDIATES) if chain else ()
    except CertificateError:
        return ()
    return blocks[1:] if blocks[:1] == (leaf.der,) else ()
