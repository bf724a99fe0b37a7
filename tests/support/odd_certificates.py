"""Certificates that no sound authority issues: weak keys, CA flags on leaves, missing or strange usages."""

import dataclasses
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.authority import Authority, Issued

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """A leaf as a client shows it: PEM of leaf and chain, PEM of the key, and the parsed certificates."""

    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    key_pem: bytes

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        return self.pem + b"".join(ca.public_bytes(Encoding.PEM) for ca in self.intermediates)


def identity_from_issued(issued: Issued) -> Identity:
    return Identity(issued.certificate, issued.intermediates, issued.key_pem)


def reissued(
    authority: Authority,
    issued: Issued,
    *,
    rsa_bits: int | None = None,
    extensions: Mapping[type[x509.ExtensionType], tuple[x509.ExtensionType, bool] | None] | None = None,
) -> Identity:
    """`issued` once more by `authority`, with another key, or with extensions replaced (None = left out)."""
    key: Key = issued.key if rsa_bits is None else rsa.generate_private_key(65537, rsa_bits)
    old = issued.certificate
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(old.issuer)
        .public_key(key.public_key())
        .serial_number(old.serial_number)
        .not_valid_before(old.not_valid_before_utc)
        .not_valid_after(old.not_valid_after_utc)
    )
    replaced = dict(extensions or {})
    for extension in old.extensions:
        kind = type(extension.value)
        if kind not in replaced:
            builder = builder.add_extension(extension.value, extension.critical)
    for replacement in replaced.values():
        if replacement is not None:
            builder = builder.add_extension(*replacement)
    certificate = builder.sign(authority.issued.key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(certificate, issued.intermediates, pem)
