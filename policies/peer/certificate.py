"""The facts of one X.509 certificate (RFC 5280 §4), from hostile bytes.

Law: `certificate_from_der` is total. Whatever the bytes, it returns or raises CertificateError; nothing is parsed
later. A certificate that can be read but vouches for nothing is a value with `problems`, and trust refuses it.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from policies.peer import der
from policies.peer.digest import sha256
from policies.peer.errors import CertificateError
from policies.peer.extensions import Extensions, extensions_from_der
from policies.peer.foreign import survivable, words
from policies.peer.limits import MAX_CERTIFICATE_BYTES, MAX_TRUST_FILE_BYTES
from policies.peer.name import DistinguishedName
from policies.peer.pem import der_from_pem
from policies.peer.signature import Signature, key_kind, key_weakness, signature_of
from policies.peer.twin import twin_digests


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """Who a caller is said to be. None = this enforcement point was not shown it (unknown); () = it has none.

    `twin_sha256`: what `cert_sha256` would be with the other, equally valid ECDSA signature (see `twin`).
    """

    uri: tuple[str, ...] | None = ()
    dns: tuple[str, ...] | None = ()
    email: tuple[str, ...] | None = ()
    ip: tuple[IPv4Address | IPv6Address, ...] | None = ()
    subject: DistinguishedName | None = None
    issuer: DistinguishedName | None = None
    serial: int | None = None
    cert_sha256: bytes | None = None
    spki_sha256: bytes | None = None
    twin_sha256: tuple[bytes, ...] | None = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One parsed certificate, equal to another when the bytes are.

    Times are seconds since the epoch, UTC; validity is inclusive on both ends. `key_usage` and `extended_key_usage`
    hold RFC 5280 names (`digitalSignature`, `clientAuth`) or dotted OIDs, None = the extension is absent. `public_key`
    is None where the kind is not supported. `problems`: why it vouches for nothing, whoever issued it; empty if nothing
    is wrong.
    """

    der: bytes
    identity: IdentityFacts = field(compare=False)
    not_before: float = field(compare=False)
    not_after: float = field(compare=False)
    subject: DistinguishedName = field(compare=False, repr=False)
    issuer: DistinguishedName = field(compare=False, repr=False)
    extensions: Extensions = field(compare=False, repr=False)
    sha256: bytes = field(compare=False, repr=False)
    spki_sha256: bytes = field(compare=False, repr=False)
    public_key: CertificatePublicKeyTypes | None = field(compare=False, repr=False)
    signature: Signature = field(compare=False, repr=False)
    problems: tuple[str, ...] = field(compare=False)

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints says CA (RFC 5280 §4.2.1.9)."""
        return self.extensions.is_ca

    @property
    def key_usage(self) -> frozenset[str] | None:
        """RFC 5280 §4.2.1.3."""
        return self.extensions.key_usage

    @property
    def extended_key_usage(self) -> frozenset[str] | None:
        """RFC 5280 §4.2.1.12."""
        return self.extensions.extended_key_usage

    @property
    def key_kind(self) -> str:
        """Type and size of the key for people, such as `RSA 2048`."""
        return key_kind(self.public_key)

    @property
    def wildcard_sans(self) -> tuple[str, ...]:
        """SANs with an asterisk: a name that stands for others proves nobody."""
        san = self.extensions.san
        return tuple(name for name in (*san.uri, *san.dns, *san.email) if "*" in name)


def certificate_from_der(data: bytes) -> Certificate:
    """Read one certificate. Raises CertificateError only."""
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"the certificate has {len(data)} bytes, at most {MAX_CERTIFICATE_BYTES} are read")
    try:
        return _certificate(bytes(data))
    except BaseException as error:
        if not survivable(error):
            raise
        raise CertificateError(f"not a readable X.509 certificate: {words(error)}") from error


def certificates_from_pem(data: bytes, limit: int) -> tuple[Certificate, ...]:
    """Read a trust file: 1 to `limit` PEM certificates, explanatory text allowed. Raises CertificateError only."""
    if len(data) > MAX_TRUST_FILE_BYTES:
        raise CertificateError(f"the file has {len(data)} bytes, at most {MAX_TRUST_FILE_BYTES} are read")
    if data[:1] == b"\x30":
        raise CertificateError("this is DER; convert it: openssl x509 -inform DER -in FILE -out FILE.pem")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise CertificateError("not a PEM file: it is not UTF-8 text") from error
    blocks = der_from_pem(text, limit=limit, explained=True)
    found = []
    for number, block in enumerate(blocks, 1):
        try:
            found.append(certificate_from_der(block))
        except CertificateError as error:
            raise CertificateError(f"certificate {number} of {len(blocks)}: {error}") from error
    return tuple(found)


class _Fields(NamedTuple):
    """The parts of TBSCertificate (RFC 5280 §4.1) that are read from their bytes."""

    serial: int
    issuer: DistinguishedName
    subject: DistinguishedName
    spki: bytes
    extensions: Extensions


def _certificate(data: bytes) -> Certificate:
    """Everything that may fail, in one place: after it no part is parsed lazily."""
    fields = _fields(data)
    source = x509.load_der_x509_certificate(data)
    try:
        public_key = source.public_key()
    except UnsupportedAlgorithm:
        public_key = None
    cert_sha256, spki_sha256 = sha256(data), sha256(fields.spki)
    return Certificate(
        der=data,
        identity=_identity(fields, cert_sha256, spki_sha256, twin_digests(data, source)),
        not_before=source.not_valid_before_utc.timestamp(),
        not_after=source.not_valid_after_utc.timestamp(),
        subject=fields.subject,
        issuer=fields.issuer,
        extensions=fields.extensions,
        sha256=cert_sha256,
        spki_sha256=spki_sha256,
        public_key=public_key,
        signature=signature_of(source, source.tbs_certificate_bytes),
        problems=_problems(fields.extensions, public_key),
    )


def _identity(fields: _Fields, cert_sha256: bytes, spki_sha256: bytes, twin_sha256: tuple[bytes, ...]) -> IdentityFacts:
    san = fields.extensions.san
    names = (san.uri, san.dns, san.email, san.ip)
    return IdentityFacts(*names, fields.subject, fields.issuer, fields.serial, cert_sha256, spki_sha256, twin_sha256)


def signed_parts(data: bytes) -> tuple[list[der.Tlv], der.Tlv]:
    """The fields of TBSCertificate, without version, and the signatureAlgorithm beside it. Raises DerError.

    serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then unique identifiers and extensions.
    """
    outer = der.children(der.only(data, der.SEQUENCE), 3)
    if len(outer) != 3 or outer[0].tag != der.SEQUENCE:
        raise der.DerError("not tbsCertificate, signatureAlgorithm and signature")
    # No signature covers this octet, and cryptography looks past it: with another one, the certificate of a blocked
    # caller would be good and have a fingerprint that no rule knows.
    if outer[2].tag != der.BIT_STRING or outer[2].value[:1] != b"\0":
        raise der.DerError("the signature is not whole octets")
    parts = list(der.children(outer[0].value, 10))
    if parts and parts[0].tag == 0xA0:
        parts.pop(0)
    if [part.tag for part in parts[:6]] != [der.INTEGER] + [der.SEQUENCE] * 5:
        raise der.DerError("tbsCertificate is malformed")
    return parts, outer[1]


def _fields(data: bytes) -> _Fields:
    """Read TBSCertificate. Raises DerError, DistinguishedNameError."""
    parts, outer_algorithm = signed_parts(data)
    serial, algorithm, issuer, _, subject, spki = parts[:6]
    if algorithm.raw != outer_algorithm.raw:
        raise der.DerError("the two signature algorithms differ (RFC 5280 §4.1.1.2)")
    number = der.integer(serial.value)
    if number <= 0:
        raise der.DerError("the serial number is not positive (RFC 5280 §4.1.2.2)")
    extensions = next((part.value for part in parts[6:] if part.tag == 0xA3), None)
    return _Fields(
        number,
        DistinguishedName.from_der(issuer.raw),
        DistinguishedName.from_der(subject.raw),
        spki.raw,
        Extensions() if extensions is None else extensions_from_der(extensions),
    )


def _problems(extensions: Extensions, public_key: CertificatePublicKeyTypes | None) -> tuple[str, ...]:
    found = [f"its critical extension {oid} is unknown" for oid in extensions.unknown_critical]
    weakness = key_weakness(public_key)
    if weakness:
        found.append(weakness)
    return tuple(found)
