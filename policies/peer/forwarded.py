"""Certificates that the calling Envoy forwards in XFCC, and whether its XFCC may go on to the upstream.

Laws: names are taken from the certificate, never from the header. In text form Envoy does not quote URI and DNS values,
so a SAN with `,` or `;` writes keys and elements of its own: a text element whose certificate holds such a SAN is
refused, wherever it stands, because what follows it may be the peer's own words.
"""

import re

from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import PeerError, XfccError
from policies.peer.limits import MAX_INTERMEDIATES
from policies.peer.name import DistinguishedName
from policies.peer.pem import der_from_pem
from policies.peer.presented import (
    MalformedCertificate,
    PresentedCertificate,
    intermediates_from_chain,
    presented_from_certificate,
)
from policies.peer.xfcc import XfccElement, parse_xfcc, xfcc_elements

_DELIMITERS = re.compile(r'[,;"\\]')


def presented_from_xfcc(text: str) -> PresentedCertificate | MalformedCertificate:
    """The certificate that the TLS peer of the calling Envoy presented, by `Cert` of the last element."""
    try:
        elements = xfcc_elements(text)
        leaves = [_certificate(element) for element in elements if element.cert]
        if not elements[-1].cert:
            return MalformedCertificate("XFCC has no Cert: set `cert: true` in set_current_client_cert_details")
        return presented_from_certificate(leaves[-1], intermediates_from_chain(leaves[-1], elements[-1].chain))
    except PeerError as error:
        return MalformedCertificate(f"XFCC: {error}")


def shows_certificate(text: str) -> bool:
    """Whether the last element has a Cert, or nothing can be read at all."""
    try:
        return bool(parse_xfcc(text).cert)
    except XfccError:
        return True


def xfcc_chain(text: str) -> str:
    """The `Chain` of the last element, PEM: a source of intermediates and nothing more. Empty if it cannot be read."""
    try:
        return parse_xfcc(text).chain
    except XfccError:
        return ""


def is_sole_element(text: str, leaf: Certificate) -> bool:
    """Whether `text` is one element that speaks of `leaf` and says nothing that `leaf` does not.

    Its Cert, or else its Hash, is the leaf's, and so is every other thing that it says: then it may pass (law 7).
    """
    try:
        elements = xfcc_elements(text)
        element = elements[0]
        ours = _certificate(element) == leaf if element.cert else element.hash == leaf.sha256.hex()
        return ours and len(elements) == 1 and _agrees(element, leaf)
    except PeerError:
        return False


def _certificate(element: XfccElement) -> Certificate:
    """The certificate of an element that has one. Raises CertificateError, XfccError."""
    (der,) = der_from_pem(element.cert, limit=1)
    certificate = certificate_from_der(der)
    if element.hash not in ("", certificate.sha256.hex()):
        raise XfccError("Hash is not the SHA-256 of Cert")
    if not element.is_json and _has_delimiter(certificate):
        raise XfccError("a SAN holds a delimiter of the header; let Envoy write it as JSON (format: JSON)")
    return certificate


def _has_delimiter(certificate: Certificate) -> bool:
    san = certificate.extensions.san
    return any(_DELIMITERS.search(name) for name in (*san.uri, *san.dns))


def _agrees(element: XfccElement, leaf: Certificate) -> bool:
    """Whether the names of `element` are those of `leaf`. Raises DistinguishedNameError."""
    san = leaf.extensions.san
    return (
        (element.is_json or not _has_delimiter(leaf))
        and (not element.subject or DistinguishedName.parse(element.subject) == leaf.subject)
        and set(element.uri) <= set(san.uri)
        and set(element.dns) <= set(san.dns)
        and (not element.chain or der_from_pem(element.chain, limit=1 + MAX_INTERMEDIATES)[0] == leaf.der)
    )
