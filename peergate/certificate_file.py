"""The certificate that a command is about: one leaf from a file, with what may come along with it.

Law kept here: a file that holds no certificate, or more than one leaf, is refused by name; none is chosen by guess. One
that holds a certificate which the product cannot read is judged as what it is: malformed.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from cryptography import x509

from peergate.errors import ArgumentError
from policies.authoring.examination_wording import called
from policies.peer import der
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import CertificateError
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.pem import der_from_pem
from policies.peer.presented import MalformedCertificate, PresentedCertificate, presented_from_certificate
from runtime.files import read_regular_file

#: Bytes of a file with a leaf and its chain.
MAX_CERTIFICATE_FILE_BYTES = 1024 * 1024

_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----")
# What DER files hold that are taken for a certificate, by the tags they begin with.
_OTHER_DER: Mapping[tuple[int, ...], str] = MappingProxyType(
    {
        (der.INTEGER, der.SEQUENCE, der.OCTET_STRING): "a private key (PKCS #8)",
        (der.INTEGER, der.INTEGER, der.INTEGER): "a private key (RSA)",
        (der.INTEGER, der.OCTET_STRING): "a private key (EC)",
        (der.SEQUENCE, der.OCTET_STRING): "an encrypted private key",
        (der.SEQUENCE, der.BIT_STRING): "a public key",
        (der.INTEGER, der.SEQUENCE, der.SEQUENCE): "a PKCS #12 store (openssl pkcs12 -in FILE -nokeys)",
        (der.OID, 0xA0): "PKCS #7 (openssl pkcs7 -inform DER -print_certs -in FILE)",
    }
)


def presented_from_files(certificate: str, chain: str | None = None) -> PresentedCertificate | MalformedCertificate:
    """What a client presents that has the leaf of the file `certificate`, and along with it that of the file `chain`.

    Both are PEM or DER. After the leaf, `certificate` may hold its chain; `chain` may begin with the leaf once more.
    Raises ArgumentError if a file cannot be read, or does not hold what it should.
    """
    leaf, *others = _blocks("--cert", certificate)
    if chain is not None:
        others += [block for block in _blocks("--chain", chain) if block != leaf]
    if len(others) > MAX_INTERMEDIATES:
        raise ArgumentError(f"{len(others)} certificates beside the leaf; at most {MAX_INTERMEDIATES} are read")
    try:
        parsed = certificate_from_der(leaf)
        presented = presented_from_certificate(parsed, others)
    except CertificateError as error:
        return MalformedCertificate(str(error))
    _check_one_leaf(parsed, others)
    return presented


def _blocks(flag: str, path: str) -> tuple[bytes, ...]:
    """The certificates of a file as DER, at least one, none of them parsed."""
    try:
        data = read_regular_file(path, MAX_CERTIFICATE_FILE_BYTES)
        return _ders(data)
    except OSError as error:
        raise ArgumentError(f"{flag} {path}: {error.strerror}") from None
    except CertificateError as error:
        raise ArgumentError(f"{flag} {path}: {error}") from None


def _ders(data: bytes) -> tuple[bytes, ...]:
    """Raises CertificateError."""
    if not data.strip():
        raise CertificateError("the file is empty")
    if b"PRIVATE KEY-----" in data:
        raise CertificateError("there is a private key in it; give the certificate alone (openssl x509 -in FILE)")
    if not _PEM.search(data):
        return (_checked_der(data),)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise CertificateError("not a PEM file: it is not UTF-8 text") from None
    return der_from_pem(text, limit=1 + MAX_INTERMEDIATES, explained=True)


def _checked_der(data: bytes) -> bytes:
    """`data`, if it could be a certificate. Raises CertificateError."""
    try:
        fields = der.children(der.only(data, der.SEQUENCE), 16)
    except der.DerError:
        raise CertificateError("neither PEM nor DER of a certificate") from None
    tags = tuple(field.tag for field in fields)
    other = next((words for start, words in _OTHER_DER.items() if tags[: len(start)] == start), "")
    for load, words in ((x509.load_der_x509_csr, "a certificate request"), (x509.load_der_x509_crl, "a CRL")):
        with suppress(ValueError):
            load(data)
            other = words
    if other:
        raise CertificateError(f"this is {other} where a certificate is expected")
    return data


def _check_one_leaf(leaf: Certificate, others: Sequence[bytes]) -> None:
    """Raises ArgumentError if one of `others` is neither a CA nor the issuer of another certificate.

    One that issued another but is no CA may stay: the examination then says what is wrong with it.
    """
    readable = []
    for data in others:
        with suppress(CertificateError):
            readable.append(certificate_from_der(data))
    for number, certificate in enumerate(readable):
        rest = (leaf, *readable[:number], *readable[number + 1 :])
        if not certificate.is_ca and all(certificate.subject != other.issuer for other in rest):
            raise ArgumentError(
                f"{called(certificate)} is a second leaf: give one leaf first, then the CA certificates above it"
            )
