"""Whom a trust entry asks about its leaves: one responder, or those that certificates name under allowed prefixes."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from policies.peer.certificate import Certificate
from policies.peer.fetch_url import FetchUrl, UrlPrefix, fetchable
from policies.peer.foreign import survivable
from policies.peer.limits import MAX_CERTIFICATE_URLS
from policies.peer.ocsp import OcspMethod, OcspSource


@dataclass(frozen=True, slots=True)
class OcspResponders:
    """The `ocsp` of a trust entry. `url`: the responder; None: that of the certificate, under one of `prefixes`."""

    url: FetchUrl | None
    prefixes: tuple[UrlPrefix, ...] = ()
    allow_private: bool = False
    method: OcspMethod = OcspMethod.POST
    nonce: bool = False
    clock_skew: float = 0.0

    def source(self, leaf: Certificate) -> OcspSource | None:
        """Who is asked about `leaf`; None if nobody may be."""
        url = self.url or next((url for url in ocsp_urls(leaf) if any(one.covers(url) for one in self.prefixes)), None)
        if url is None:
            return None
        return OcspSource(url, self.allow_private, self.method, self.nonce, self.clock_skew)

    @property
    def text(self) -> str:
        """Who is asked, for people."""
        return "the responder of the certificate" if self.url is None else self.url.text


def ocsp_urls(certificate: Certificate) -> tuple[FetchUrl, ...]:
    """The http and https URLs of OCSP responders in a certificate (RFC 5280 §4.2.2.1); none if they cannot be read."""
    try:
        found = x509.load_der_x509_certificate(certificate.der).extensions
        access = found.get_extension_for_class(x509.AuthorityInformationAccess).value
        named = [item for item in access if item.access_method == AuthorityInformationAccessOID.OCSP]
        places = [item.access_location for item in named[:MAX_CERTIFICATE_URLS]]
    except BaseException as error:
        if not survivable(error):
            raise
        return ()
    return fetchable(place.value for place in places if isinstance(place, x509.UniformResourceIdentifier))
