"""The URLs in a certificate at which its revocation is told. They are followed only under prefixes of the policy."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from policies.peer.certificate import Certificate
from policies.peer.fetch_url import FetchUrl, fetchable
from policies.peer.foreign import survivable
from policies.peer.limits import MAX_CERTIFICATE_URLS


def ocsp_urls(certificate: Certificate) -> tuple[FetchUrl, ...]:
    """The http and https URLs of OCSP responders (RFC 5280 §4.2.2.1); none if they cannot be read."""
    try:
        access = _extensions(certificate).get_extension_for_class(x509.AuthorityInformationAccess).value
        named = [item for item in access if item.access_method == AuthorityInformationAccessOID.OCSP]
        return _fetchable(item.access_location for item in named[:MAX_CERTIFICATE_URLS])
    except BaseException as error:
        if not survivable(error):
            raise
        return ()


def crl_urls(certificate: Certificate) -> tuple[FetchUrl, ...]:
    """The http and https URLs of CRLs (RFC 5280 §4.2.1.13); none if they cannot be read.

    A point for some reasons only, or of another issuer than the certificate's, leads to no complete CRL.
    """
    try:
        points = _extensions(certificate).get_extension_for_class(x509.CRLDistributionPoints).value
        whole = [point for point in points if point.reasons is None and point.crl_issuer is None]
        names = [name for point in whole for name in point.full_name or ()]
        return _fetchable(names[:MAX_CERTIFICATE_URLS])
    except BaseException as error:
        if not survivable(error):
            raise
        return ()


def _extensions(certificate: Certificate) -> x509.Extensions:
    return x509.load_der_x509_certificate(certificate.der).extensions


def _fetchable(places: Iterable[x509.GeneralName]) -> tuple[FetchUrl, ...]:
    return fetchable(place.value for place in places if isinstance(place, x509.UniformResourceIdentifier))
