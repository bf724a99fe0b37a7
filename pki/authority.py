"""A certificate authority in memory, for the demo, for tests, for a first try. Keys are EC P-256."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key and the CA certificates above it, nearest first, without the root."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    intermediates: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate alone, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate alone, DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def chain_pem(self) -> bytes:
        """Leaf, then intermediates, PEM: what a TLS client sends."""
        return self.pem + b"".join(ca.public_bytes(serialization.Encoding.PEM) for ca in self.intermediates)

    @property
    def key_pem(self) -> bytes:
        """The private key, unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


@dataclass(frozen=True, slots=True)
class Authority:
    """One CA certificate and its key. `now` fixes the clock of everything that it issues."""

    issued: Issued
    now: datetime

    @classmethod
    def root(cls, name: str | x509.Name, *, now: datetime | None = None, days: float = 30) -> Self:
        """A new self-signed CA whose subject is CN=`name`, or the name given."""
        now = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _ca_name(name)
        builder = _ca_builder(subject, subject, key, now, days, path_length=None)
        return cls(Issued(builder.sign(key, hashes.SHA256()), key), now)

    @property
    def pem(self) -> bytes:
        """The CA certificate, PEM."""
        return self.issued.pem

    def intermediate(self, name: str | x509.Name, *, days: float = 20, path_length: int | None = 0) -> "Authority":
        """A CA below this one."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.issued.certificate.subject
        builder = _ca_builder(_ca_name(name), issuer, key, self.now, days, path_length=path_length)
        certificate = builder.sign(self.issued.key, hashes.SHA256())
        return Authority(Issued(certificate, key, self._chain_below()), self.now)

    def issue(
        self,
        *,
        uri: Sequence[str] = (),
        dns: Sequence[str] = (),
        email: Sequence[str] = (),
        ip: Sequence[str] = (),
        subject: x509.Name | str | None = None,
        server: bool = False,
        client: bool = True,
        serial: int | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        extra: Iterable[tuple[x509.ExtensionType, bool]] = (),
    ) -> Issued:
        """A leaf with these SANs, valid for a day unless said otherwise. `subject`: RFC 4514 text or a name."""
        key = ec.generate_private_key(ec.SECP256R1())
        sans: list[x509.GeneralName] = [
            *map(x509.UniformResourceIdentifier, uri),
            *map(x509.DNSName, dns),
            *map(x509.RFC822Name, email),
            *(x509.IPAddress(ip_address(address)) for address in ip),
        ]
        name = x509.Name.from_rfc4514_string(subject) if isinstance(subject, str) else subject or x509.Name([])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.issued.certificate.subject)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(not_before or self.now - _BACKDATE)
            .not_valid_after(not_after or self.now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_leaf_key_usage(), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issued.key.public_key()), critical=False
            )
        )
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] * client + [ExtendedKeyUsageOID.SERVER_AUTH] * server
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=not list(name))
        for extension, critical in extra:
            builder = builder.add_extension(extension, critical)
        return Issued(builder.sign(self.issued.key, hashes.SHA256()), key, self._chain_below())

    def crl(
        self,
        revoked: Iterable[x509.Certificate | int] = (),
        *,
        number: int = 1,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
    ) -> bytes:
        """A CRL of this CA, PEM, that lists `revoked` (certificates or serial numbers) and is valid for a day."""
        this_update = this_update or self.now - _BACKDATE
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.issued.certificate.subject)
            .last_update(this_update)
            .next_update(next_update or self.now + timedelta(days=1))
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issued.key.public_key()), critical=False
            )
        )
        for item in revoked:
            serial = item if isinstance(item, int) else item.serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(this_update).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self.issued.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _chain_below(self) -> tuple[x509.Certificate, ...]:
        """What a leaf or CA issued here sends along: this CA unless it is a root, then its own chain."""
        certificate = self.issued.certificate
        if certificate.issuer == certificate.subject:
            return ()
        return (certificate, *self.issued.intermediates)


def _ca_name(name: str | x509.Name) -> x509.Name:
    return name if isinstance(name, x509.Name) else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _ca_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    days: float,
    *,
    path_length: int | None,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_ca_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, digital_signature: bool, signing: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signing,
        crl_sign=signing,
        encipher_only=False,
        decipher_only=False,
    )


def _ca_key_usage() -> x509.KeyUsage:
    return _key_usage(digital_signature=False, signing=True)


def _leaf_key_usage() -> x509.KeyUsage:
    return _key_usage(digital_signature=True, signing=False)
