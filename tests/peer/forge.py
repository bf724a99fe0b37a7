"""Certificates that no honest CA issues: every field by hand, and DER changed after signing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID, ObjectIdentifier

from pki.authority import Issued
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.presented import PresentedCertificate, presented_from_der

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)

Extension = tuple[x509.ExtensionType, bool]
Sha2 = hashes.SHA256 | hashes.SHA384 | hashes.SHA512


@dataclass(frozen=True, slots=True)
class Forged:
    """A certificate and the key in it."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes

    @property
    def der(self) -> bytes:
        """The certificate, DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def parsed(self) -> Certificate:
        """The certificate as the product reads it."""
        return certificate_from_der(self.der)

    @property
    def presented(self) -> PresentedCertificate:
        """The certificate alone, as a peer presents it."""
        return presented_from_der(self.der)


def named(common_name: str, **attributes: str) -> x509.Name:
    """CN, and organization (O) or others by their NameOID names."""
    found = [x509.NameAttribute(getattr(NameOID, key.upper()), value) for key, value in attributes.items()]
    return x509.Name([*found, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(
    subject: x509.Name | str = "leaf",
    *,
    issuer: Forged | None = None,
    issuer_name: x509.Name | None = None,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    signing_key: CertificateIssuerPrivateKeyTypes | None = None,
    hash_algorithm: Sha2 | None = None,
    rsa_padding: padding.PKCS1v15 | padding.PSS | None = None,
    pure: bool = False,
    serial: int | None = None,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + DAY,
    extensions: Iterable[Extension] = (),
) -> Forged:
    """Sign exactly this; self-signed without `issuer`. `pure`: the signature scheme has no hash (Ed25519)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    own = named(subject) if isinstance(subject, str) else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer_name or (issuer.certificate.subject if issuer else own))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = signing_key or (issuer.key if issuer else key)
    algorithm = None if pure else hash_algorithm or hashes.SHA256()
    return Forged(builder.sign(signer, algorithm, rsa_padding=rsa_padding), key)


def authority(
    subject: x509.Name | str = "CA",
    *,
    issuer: Forged | None = None,
    issuer_name: x509.Name | None = None,
    key: CertificateIssuerPrivateKeyTypes | None = None,
    hash_algorithm: Sha2 | None = None,
    path_length: int | None = None,
    usage: x509.KeyUsage | None = None,
    not_before: datetime = NOW - 10 * DAY,
    not_after: datetime = NOW + 10 * DAY,
    extra: Sequence[Extension] = (),
) -> Forged:
    """A CA certificate with basicConstraints, `usage` if given, and `extra`."""
    extensions = [(x509.BasicConstraints(ca=True, path_length=path_length), True), *extra]
    if usage is not None:
        extensions.append((usage, True))
    return certificate(
        subject,
        issuer=issuer,
        issuer_name=issuer_name,
        key=key,
        hash_algorithm=hash_algorithm,
        not_before=not_before,
        not_after=not_after,
        extensions=extensions,
    )


def sha1_signed(forged: Forged, issuer: Forged) -> Forged:
    """The same certificate, signed again by the RSA key of `issuer` with SHA-1, which cryptography refuses to do."""
    sha256_rsa, sha1_rsa = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    tbs = forged.certificate.tbs_certificate_bytes.replace(sha256_rsa, sha1_rsa, 1)
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    signature = issuer.key.sign(tbs, padding.PKCS1v15(), hashes.SHA1())
    algorithm = tlv(0x30, tlv(0x06, sha1_rsa), tlv(0x05))
    der = tlv(0x30, tbs, algorithm, tlv(0x03, b"\x00", signature))
    return Forged(x509.load_der_x509_certificate(der), forged.key)


def key_usage(*bits: str) -> x509.KeyUsage:
    """A key usage with exactly these bits, named as cryptography names them."""
    names = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in bits for name in names})


def alternative_names(
    *, uri: Sequence[str] = (), dns: Sequence[str] = (), email: Sequence[str] = (), ip: Sequence[str] = ()
) -> Extension:
    """A subjectAltName extension."""
    names: list[x509.GeneralName] = [
        *map(x509.UniformResourceIdentifier, uri),
        *map(x509.DNSName, dns),
        *map(x509.RFC822Name, email),
        *(x509.IPAddress(ip_address(address)) for address in ip),
    ]
    return x509.SubjectAlternativeName(names), False


def raw_extension(oid: str, value: bytes, *, critical: bool = False) -> Extension:
    """An extension by its bytes."""
    return x509.UnrecognizedExtension(ObjectIdentifier(oid), value), critical


def tlv(tag: int, *contents: bytes) -> bytes:
    """One DER element."""
    value = b"".join(contents)
    if len(value) < 0x80:
        return bytes((tag, len(value))) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + value


def parsed(issued: Issued) -> Certificate:
    """The certificate of an authority's `Issued`, as the product reads it."""
    return certificate_from_der(issued.der)


def presented(issued: Issued) -> PresentedCertificate:
    """What a TLS client with `issued` presents: the leaf and the intermediates."""
    return presented_from_der(issued.der, [ca.public_bytes(serialization.Encoding.DER) for ca in issued.intermediates])


def percent_encoded(pem: bytes) -> str:
    """As Envoy writes PEM in a CheckRequest and in XFCC text."""
    return quote(pem.decode(), safe="")
