"""Traefik's `X-Forwarded-Tls-Client-Cert` (middleware passTLSClientCert, `pem: true`).

https://doc.traefik.io/traefik/middlewares/http/passtlsclientcert/

The base64 of every certificate that the client sent, leaf first, between commas; older releases percent-encode each.
One value is wholly of one kind. Where the client presented no certificate, Traefik 3 leaves the header alone: what the
client wrote there arrives. So its configuration must empty the header before passTLSClientCert, or require a
certificate; nothing in the value tells the two apart.
"""

from collections.abc import Sequence

from policies.peer.errors import CertificateError
from policies.peer.header_value import bytes_from_base64, sole_value, text_from_percent
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate, presented_from_der


def presented_from_traefik(certificates: Sequence[str]) -> PresentedCertificate | NoCertificate:
    """The certificate in the values of `X-Forwarded-Tls-Client-Cert`. Raises CertificateError."""
    value = sole_value(certificates)
    if not value:
        return NO_CERTIFICATE
    items = value.split(",", 1 + MAX_INTERMEDIATES)
    if len(items) > 1 + MAX_INTERMEDIATES:
        raise CertificateError(f"the header has more than {1 + MAX_INTERMEDIATES} certificates")
    leaf, *others = map(bytes_from_base64, map(text_from_percent, items) if "%" in value else items)
    return presented_from_der(leaf, others)
