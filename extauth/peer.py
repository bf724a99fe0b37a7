"""Whose certificate a question over gRPC is about, from what Envoy forwards. Nothing here is verified.

Law 7: a certificate that Envoy has and does not send is malformed, never no certificate.
"""

from policies.peer.presented import NO_CERTIFICATE, MalformedCertificate, Presented
from policies.peer.reader import PresentedReader


def presented_from_source(reader: PresentedReader, certificate: str, principal: str, xfcc: str) -> Presented:
    """Read `attributes.source.certificate` (percent-encoded PEM of the leaf) and `.principal`.

    `xfcc` is only a source of intermediates: `Chain` of its last element, if that starts with the same leaf. Where the
    operator says that Envoy has verified its peers (`--proxy-verified`), it tells the peer if the certificate does not.
    """
    if certificate:
        return reader.from_envoy(certificate, xfcc)
    if reader.verified_for is not None and xfcc:
        # Without a principal the element is not of the TLS peer: an Envoy that forwards XFCC as it comes.
        return reader.from_xfcc(xfcc, principal) if principal else MalformedCertificate("XFCC without a principal")
    if principal:
        return MalformedCertificate(
            f"Envoy names the principal {principal[:200]!r} but sends no certificate: "
            "set include_peer_certificate in its ext_authz filter"
        )
    return NO_CERTIFICATE
