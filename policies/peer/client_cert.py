"""`Client-Cert` and `Client-Cert-Chain` (RFC 9440 §2): DER as byte sequences of structured fields (RFC 8941 §3.3.5).

The chain is in the order of the handshake and does not hold the leaf. Parameters have no meaning there and are refused.
"""

from collections.abc import Sequence

from policies.peer.errors import CertificateError
from policies.peer.header_value import bytes_from_base64, sole_value
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate, presented_from_der


def presented_from_client_cert(
    certificate: Sequence[str], chain: Sequence[str] = ()
) -> PresentedCertificate | NoCertificate:
    """The certificate in the values of Client-Cert and Client-Cert-Chain. Raises CertificateError.

    No Client-Cert, or an empty one, is no certificate; a chain beside it is an error.
    """
    leaf, others = sole_value(certificate), sole_value(chain)
    if leaf:
        return presented_from_der(_der_from_item(leaf), _ders_from_list(others))
    if others:
        raise CertificateError("Client-Cert-Chain without Client-Cert")
    return NO_CERTIFICATE


def _ders_from_list(text: str) -> tuple[bytes, ...]:
    items = text.split(",", MAX_INTERMEDIATES) if text else []
    if len(items) > MAX_INTERMEDIATES:
        raise CertificateError(f"Client-Cert-Chain has more than {MAX_INTERMEDIATES} certificates")
    return tuple(_der_from_item(item.strip(" \t")) for item in items)


def _der_from_item(text: str) -> bytes:
    if len(text) < 2 or text[0] != ":" or text[-1] != ":":
        raise CertificateError("the header is not a byte sequence between colons (RFC 8941 §3.3.5)")
    return bytes_from_base64(text[1:-1])
