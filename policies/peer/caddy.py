"""Caddy's `{http.request.tls.client.certificate_der_base64}`: the leaf as base64 of DER.

https://caddyserver.com/docs/json/apps/http/#docs

Without a client certificate Caddy sends the placeholder itself, braces and all. `certificate_pem` is not read: its line
breaks cannot stand in a header, and Caddy answers 502 instead of sending it. Caddy has no placeholder for the chain.
"""

from collections.abc import Sequence

from policies.peer.header_value import bytes_from_base64, sole_value
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate, presented_from_der

PLACEHOLDER = "{http.request.tls.client.certificate_der_base64}"


def presented_from_caddy(certificate: Sequence[str]) -> PresentedCertificate | NoCertificate:
    """The certificate in the values of a header set to the placeholder. Raises CertificateError."""
    value = sole_value(certificate)
    return NO_CERTIFICATE if value in ("", PLACEHOLDER) else presented_from_der(bytes_from_base64(value))
