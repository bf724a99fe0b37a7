"""Where a CRL is fetched from, by the word of the policy, and what is accepted from there. Nothing is fetched here."""

from dataclasses import dataclass

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl, CrlKey, crl_from_bytes, crl_key
from policies.peer.fetch_url import FetchUrl


@dataclass(frozen=True, slots=True)
class CrlSource:
    """One `{url: …}` of a trust entry. `authorities`: the CAs of the entry, of which one must have signed the CRL.

    `allow_private`: whether the host may have an address that is not of the public internet.
    """

    url: FetchUrl
    allow_private: bool
    authorities: tuple[Certificate, ...]

    def verified(self, data: bytes) -> tuple[CrlKey, Crl]:
        """The CRL in `data` and the CA that signed it. Raises CrlError."""
        crl = crl_from_bytes(data)
        return crl_key(crl, self.authorities), crl
