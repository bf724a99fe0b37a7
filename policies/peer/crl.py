"""Certificate revocation lists (RFC 5280 §5): complete ones of one CA, read once into a set of serial numbers.

Delta, indirect and scoped CRLs, and those with unknown critical extensions, are refused by name: to take a part for the
whole would prove good what is revoked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from policies.peer import der
from policies.peer.certificate import Certificate
from policies.peer.errors import CertificateError, CrlError
from policies.peer.foreign import survivable, words
from policies.peer.limits import MAX_CRL_BYTES
from policies.peer.name import DistinguishedName
from policies.peer.pem import der_from_pem
from policies.peer.signature import Signature, signature_of

#: A CA as revocation knows it: its name and the SHA-256 of its SPKI. A name alone can be imitated by another CA.
CrlKey = tuple[DistinguishedName, bytes]

# What does not change the meaning of a list when it is understood, critical or not.
_PROCESSED = (x509.AuthorityKeyIdentifier, x509.CRLNumber)
_PROCESSED_IN_ENTRY = (x509.CRLReason, x509.InvalidityDate)


@dataclass(frozen=True, slots=True)
class CrlAge:
    """When a CA issued a list: by CRLNumber, then by thisUpdate (epoch seconds)."""

    number: int | None
    this_update: float

    def older_than(self, other: "CrlAge") -> bool:
        """Whether it was before `other` (of the same CA)."""
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number < other.number
        return self.this_update < other.this_update


@dataclass(frozen=True, slots=True)
class Crl:
    """One CRL, its signature not yet verified: see `crl_key`.

    Times are seconds since the epoch, UTC; it speaks for the time from `this_update` to `next_update`, both inclusive.
    """

    issuer: DistinguishedName
    number: int | None
    this_update: float
    next_update: float
    serials: frozenset[int] = field(repr=False)
    signature: Signature = field(repr=False)
    _closing: bytes = field(repr=False)

    @property
    def der(self) -> bytes:
        """The list as it was received, DER. Put together again: what was signed is kept once, with the signature."""
        return der.sequence(self.signature.signed + self._closing)

    @property
    def age(self) -> CrlAge:
        """When it was issued, to be held against another of the same CA."""
        return CrlAge(self.number, self.this_update)

    def older_than(self, other: "Crl") -> bool:
        """Whether the CA issued this one before `other` (of the same CA)."""
        return self.age.older_than(other.age)

    def takes_back(self, known: "Crl") -> bool:
        """Whether it would undo what `known` (of the same CA) says: it is older, or no newer and lists less."""
        return self.older_than(known) or not (known.older_than(self) or known.serials <= self.serials)


def crl_from_bytes(data: bytes) -> Crl:
    """Read one CRL, PEM (one block) or DER. Raises CrlError only."""
    if len(data) > MAX_CRL_BYTES:
        raise CrlError(f"the CRL has {len(data)} bytes, at most {MAX_CRL_BYTES} are read")
    try:
        if data[:1] != b"\x30":
            (data,) = der_from_pem(data.decode(), limit=1, label="X509 CRL", explained=True)
        return _crl(x509.load_der_x509_crl(data))
    except CrlError:
        raise
    except CertificateError as error:
        raise CrlError(f"not a CRL: {error}") from error
    except BaseException as error:
        if not survivable(error):
            raise
        raise CrlError(f"not a readable CRL: {words(error)}") from error


def crl_key(crl: Crl, authorities: Iterable[Certificate]) -> CrlKey:
    """The CA among `authorities` that signed `crl`. Raises CrlError if none did."""
    if crl.signature.weakness:
        raise CrlError(f"the CRL of {crl.issuer.text!r} vouches for nothing: {crl.signature.weakness}")
    named = [ca for ca in authorities if ca.subject == crl.issuer]
    if not named:
        raise CrlError(f"no anchor and no intermediate is named {crl.issuer.text!r}, the issuer of the CRL")
    for authority in named:
        may = not authority.problems and (authority.key_usage is None or "cRLSign" in authority.key_usage)
        if may and crl.signature.verifies(authority.public_key):
            return authority.subject, authority.spki_sha256
    raise CrlError(f"the signature of the CRL is not of a CA named {crl.issuer.text!r} that may sign CRLs")


def _crl(source: x509.CertificateRevocationList) -> Crl:
    signed = source.tbs_certlist_bytes
    outer = der.children(der.only(source.public_bytes(Encoding.DER), der.SEQUENCE), 3)
    extensions = source.extensions
    _refuse_kinds(extensions)
    if source.next_update_utc is None:
        raise CrlError("the CRL has no nextUpdate (RFC 5280 §5.1.2.5), so nobody could tell when it is stale")
    number = next((item.value.crl_number for item in extensions if isinstance(item.value, x509.CRLNumber)), None)
    return Crl(
        issuer=_issuer(outer, signed),
        number=number,
        this_update=source.last_update_utc.timestamp(),
        next_update=source.next_update_utc.timestamp(),
        serials=frozenset(_serial(entry) for entry in source),
        signature=signature_of(source, signed),
        _closing=b"".join(part.raw for part in outer[1:]),
    )


def _refuse_kinds(extensions: x509.Extensions) -> None:
    for item in extensions:
        if isinstance(item.value, x509.DeltaCRLIndicator):
            raise CrlError("this is a delta CRL; give the complete CRL")
        if isinstance(item.value, x509.IssuingDistributionPoint):
            kind = "an indirect CRL" if item.value.indirect_crl else "a CRL for a part of the certificates"
            raise CrlError(f"this is {kind} (issuingDistributionPoint); give the complete CRL of one CA")
        if item.critical and not isinstance(item.value, _PROCESSED):
            raise CrlError(f"the CRL has the unknown critical extension {item.oid.dotted_string}")


def _serial(entry: x509.RevokedCertificate) -> int:
    for item in entry.extensions:
        if isinstance(item.value, x509.CertificateIssuer):
            raise CrlError("this is an indirect CRL (certificateIssuer); give the complete CRL of one CA")
        if item.critical and not isinstance(item.value, _PROCESSED_IN_ENTRY):
            raise CrlError(f"an entry of the CRL has the critical extension {item.oid.dotted_string}")
    return entry.serial_number


def _issuer(outer: tuple[der.Tlv, ...], signed: bytes) -> DistinguishedName:
    """The issuer's bytes as they stand; also checks that both places name one algorithm (§5.1.1.2)."""
    parts = [part for part, _ in zip(der.elements(der.only(signed, der.SEQUENCE)), range(3), strict=False)]
    if parts and parts[0].tag == der.INTEGER:
        parts.pop(0)
    algorithm, issuer = parts[:2]
    if algorithm.raw != outer[1].raw:
        raise CrlError("the two signature algorithms of the CRL differ")
    return DistinguishedName.from_der(issuer.raw)
