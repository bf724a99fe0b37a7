"""nginx's `$ssl_client_escaped_cert`: the PEM of the leaf, percent-encoded.

https://nginx.org/en/docs/http/ngx_http_ssl_module.html#variables

Without a client certificate the variable is empty, and nginx leaves out a header that it is to set to nothing. Under
`ssl_verify_client optional_no_ca` the certificate stands there unverified, as it does everywhere for us. nginx has no
variable for the rest of the chain.
"""

from collections.abc import Sequence

from policies.peer.header_value import sole_value, text_from_percent
from policies.peer.presented import NO_CERTIFICATE, NoCertificate, PresentedCertificate, presented_from_pem


def presented_from_nginx(certificate: Sequence[str]) -> PresentedCertificate | NoCertificate:
    """The certificate in the values of a header set to `$ssl_client_escaped_cert`. Raises CertificateError."""
    value = sole_value(certificate)
    return presented_from_pem(text_from_percent(value)) if value else NO_CERTIFICATE
