"""A certificate that a policy test asks for: it is made for the test, under a CA that stands in for a trust entry's.

This package makes no keys and signs nothing: `CertificateMaker` is whoever does (`peergate.stand_ins`).
"""

from dataclasses import dataclass
from typing import Protocol

from policies.peer.presented import PresentedCertificate


@dataclass(frozen=True, slots=True)
class Wish:
    """What the certificate says. Texts are as in a policy test; `not_before`, `not_after` are epoch seconds.

    - `entry`: the trust entry whose CA issues it.
    - `subject`: RFC 4514, empty = an empty name. `issuer`: likewise, empty = the subject of the entry's first anchor.
    - `not_before`, `not_after`: None = around the moment of the request.
    - `expired`: its validity ends an hour before the moment of the request.
    - `revoked`: the CRL of its CA lists it. `untrusted`: its CA has the right name, and is not the entry's.
    - `client`, `server`: its extended key usage.
    """

    entry: str
    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    ip_san: tuple[str, ...] = ()
    subject: str = ""
    issuer: str = ""
    serial: int | None = None
    not_before: float | None = None
    not_after: float | None = None
    expired: bool = False
    revoked: bool = False
    untrusted: bool = False
    client: bool = True
    server: bool = False


class CertificateMaker(Protocol):
    """Makes certificates for one run of tests."""

    def presented(self, wish: Wish, time: float) -> PresentedCertificate:
        """The certificate for a request at `time` (epoch seconds), with its chain.

        Equal wishes at one time give one certificate. Raises ValueError for what no certificate can say.
        """
        ...
