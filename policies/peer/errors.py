"""What can be wrong with the things a peer presents.

PeerError
├── SpiffeIdError           not a SPIFFE ID or trust domain, by the SPIFFE standard to the letter
├── DistinguishedNameError  not an RFC 4514 string, or a name that cannot be read
├── CertificateError        not one readable X.509 certificate within the limits
├── XfccError               not a readable x-forwarded-client-cert value
├── CrlError                not a readable CRL, or one of a kind that is refused by name
├── OcspError               not an answer to an OCSP question that counts
└── SpiffeBundleError       not a SPIFFE bundle that X.509-SVIDs can be verified with

All of them mean *malformed input*. A certificate that is readable but refused is a value (`Standing`), not an error.
`der.DerError` stays inside the modules that read DER.
"""


class PeerError(ValueError):
    """Something presented by a peer, or configured about peers, is malformed. The message is for people."""


class SpiffeIdError(PeerError):
    """Not a SPIFFE ID (SPIFFE-ID standard §2)."""


class DistinguishedNameError(PeerError):
    """Not a distinguished name (RFC 4514, RFC 5280 §4.1.2.4)."""


class CertificateError(PeerError):
    """Not one readable X.509 certificate (RFC 5280 §4) within the limits."""


class XfccError(PeerError):
    """Not a readable x-forwarded-client-cert value (Envoy's header documentation)."""


class CrlError(PeerError):
    """Not a readable CRL (RFC 5280 §5), or of a kind that peergate refuses by name."""


class OcspError(PeerError):
    """Not an OCSP response (RFC 6960) that answers the question, or not one that may be believed."""


class SpiffeBundleError(PeerError):
    """Not a SPIFFE bundle (SPIFFE Trust Domain and Bundle §4), or one without X.509 authorities."""
