"""OCSP answers as a responder makes them, honest or not, with every part by choice."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pki.authority import Authority, Issued
from policies.peer.certificate import certificate_from_der
from policies.peer.fetch_url import FetchUrl
from policies.peer.ocsp import OcspQuestion, OcspSource
from tests.peer.forge import Forged

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
SIGNING = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
SOURCE = OcspSource(FetchUrl.parse("http://ocsp.example/"))


def question(leaf: Issued, issuer: Authority, source: OcspSource = SOURCE) -> OcspQuestion:
    """What `source` is asked about `leaf`."""
    return OcspQuestion.about(certificate_from_der(leaf.der), certificate_from_der(issuer.issued.der), source)


def delegate(
    of: Authority,
    *,
    extra: x509.ExtensionType = SIGNING,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> Issued:
    """A delegated responder of a CA."""
    extras = [(extra, False)]
    return of.issue(subject="CN=responder", client=False, extra=extras, not_before=not_before, not_after=not_after)


@dataclass(frozen=True, kw_only=True)
class Answering:
    """An answer about `leaf` by `issuer`. `signer`: None = the CA itself. `carried`: certificates beside it."""

    leaf: Issued
    issuer: Authority
    status: ocsp.OCSPCertStatus = GOOD
    this_update: datetime
    next_update: datetime | None = None
    signer: Issued | Forged | None = None
    carried: tuple[x509.Certificate, ...] | None = None
    certid: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)
    signed_with: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    nonce: bytes | None = None
    reason: x509.ReasonFlags | None = None
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()

    @property
    def der(self) -> bytes:
        """The OCSPResponse."""
        signer = self.signer or self.issuer.issued
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.leaf.certificate,
            self.issuer.issued.certificate,
            self.certid,
            self.status,
            self.this_update,
            self.next_update,
            self.this_update if self.status is REVOKED else None,
            self.reason,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        carried = self.carried if self.carried is not None else (() if self.signer is None else (signer.certificate,))
        if carried:
            builder = builder.certificates(list(carried))
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        for extension, critical in self.extra:
            builder = builder.add_extension(extension, critical)
        made = builder.sign(signer.key, self.signed_with)
        return made.public_bytes(serialization.Encoding.DER)

    def but(self, **changes: object) -> "Answering":
        """The same with something changed."""
        return replace(self, **changes)  # type: ignore[arg-type]  # fields of this class


def now_to_the_second() -> datetime:
    """OCSP has no finer dates."""
    return datetime.now(UTC).replace(microsecond=0)


def fresh(leaf: Issued, issuer: Authority, seconds: float = 3600, **changes: object) -> bytes:
    """An answer of this second that counts for `seconds`."""
    now = now_to_the_second()
    answering = Answering(leaf=leaf, issuer=issuer, this_update=now, next_update=now + timedelta(seconds=seconds))
    return answering.but(**changes).der


def refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    """An error, which nobody signs."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)
