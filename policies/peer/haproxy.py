"""HAProxy's `%[ssl_c_der,base64]` and `%[ssl_c_chain_der,base64]`: DER, and DER one after the other.

https://docs.haproxy.org/2.6/configuration.html#7.3.4-ssl_c_der

Without a client certificate both headers are sent and empty. The chain does not hold the leaf.
"""

from collections.abc import Sequence

from policies.peer.der import SEQUENCE, DerError, children
from policies.peer.errors import CertificateError
from policies.peer.header_value import bytes_from_base64, sole_value
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate, presented_from_der


def presented_from_haproxy(
    certificate: Sequence[str], chain: Sequence[str] = ()
) -> PresentedCertificate | NoCertificate:
    """The certificate in the values of the two headers. Raises CertificateError, also for a chain without a leaf."""
    leaf, others = sole_value(certificate), sole_value(chain)
    if leaf:
        return presented_from_der(bytes_from_base64(leaf), _ders_from_base64(others) if others else ())
    if others:
        raise CertificateError("a chain without the certificate it is of")
    return NO_CERTIFICATE


def _ders_from_base64(text: str) -> tuple[bytes, ...]:
    try:
        found = children(bytes_from_base64(text), MAX_INTERMEDIATES)
    except DerError as error:
        raise CertificateError(f"the chain is not DER: {error}") from error
    if any(element.tag != SEQUENCE for element in found):
        raise CertificateError("the chain holds something that is no certificate")
    return tuple(element.raw for element in found)
