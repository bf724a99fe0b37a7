"""OCSP (RFC 6960): the question about one certificate, and what an answer says. Nothing is asked here.

`policies.peer.ocsp_response` decides what counts as an answer, `policies.peer.revocation` what follows from it.
"""

from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import OCSPNonce
from cryptography.x509.ocsp import OCSPRequestBuilder

from policies.peer import der
from policies.peer.certificate import Certificate, signed_parts
from policies.peer.fetch_url import FetchUrl

_ISSUER, _SPKI = 2, 5


class OcspMethod(StrEnum):
    """How a responder is asked (RFC 6960 appendix A.1)."""

    POST = "post"
    GET = "get"


class OcspStatus(StrEnum):
    """What a responder says of a certificate (RFC 6960 §2.2)."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class OcspSource:
    """A responder, and how it is asked.

    `nonce`: whether an answer must repeat what the request held. `clock_skew`: seconds by which its dates are widened.
    """

    url: FetchUrl
    allow_private: bool = False
    method: OcspMethod = OcspMethod.POST
    nonce: bool = False
    clock_skew: float = 0.0


@dataclass(frozen=True, slots=True)
class OcspQuestion:
    """What one responder is asked: the status of the certificate `serial` that the key of `issuer` signed.

    `issuer_name`: the DER of the issuer's name as that certificate has it, over which CertIDs are made (§4.1.1).
    """

    source: OcspSource
    issuer: Certificate
    issuer_name: bytes
    serial: int

    @classmethod
    def about(cls, leaf: Certificate, issuer: Certificate, source: OcspSource) -> "OcspQuestion":
        """The question about `leaf`."""
        return cls(source, issuer, signed_parts(leaf.der)[0][_ISSUER].raw, leaf.identity.serial or 0)

    def hashes(self, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
        """IssuerNameHash and issuerKeyHash of the CertID: over the name, and over the key without its algorithm."""
        spki = der.children(der.only(signed_parts(self.issuer.der)[0][_SPKI].raw, der.SEQUENCE), 2)
        return _digest(algorithm, self.issuer_name), _digest(algorithm, spki[1].value[1:])

    def request(self, nonce: bytes | None) -> bytes:
        """The OCSPRequest, DER. SHA-1 makes its CertID (RFC 5019 §2.1.1), which is a look-up key and no signature."""
        sha1 = hashes.SHA1()  # noqa: S303  # see above
        builder = OCSPRequestBuilder().add_certificate_by_hash(*self.hashes(sha1), self.serial, sha1)
        if nonce is not None:
            builder = builder.add_extension(OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(Encoding.DER)


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """What a responder said of a certificate, verified. Times are epoch seconds, UTC.

    It speaks for the time from `valid_from` to `valid_until`, both inclusive; `this_update` tells which of two is
    newer. `final`: revoked for good (any reason but certificateHold). `delegate`: the serial number of the delegated
    responder that signed it; None if the CA did.
    """

    status: OcspStatus
    this_update: float
    valid_from: float
    valid_until: float
    final: bool = False
    delegate: int | None = None

    def replaces(self, known: "OcspAnswer") -> bool:
        """Whether this answer takes the place of `known`: no older one does, and none undoes a final revocation."""
        if known.final or self.final:
            return not known.final
        if known.status is OcspStatus.REVOKED and self.status is not OcspStatus.REVOKED:
            # On hold until a later word says good; `unknown` says nothing about the hold.
            return self.status is OcspStatus.GOOD and self.this_update > known.this_update
        return self.this_update >= known.this_update


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
