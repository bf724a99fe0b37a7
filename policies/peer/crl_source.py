"""Where a CRL is fetched from, by the word of the policy, and what is accepted from there. Nothing is fetched here."""

from dataclasses import dataclass

from policies.peer.certificate import Certificate
from policies.peer.certificate_urls import crl_urls
from policies.peer.crl import Crl, CrlKey, crl_from_bytes, crl_key
from policies.peer.fetch_url import FetchUrl, UrlPrefix


@dataclass(frozen=True, slots=True)
class CrlUrls:
    """One `{certificate_urls: …}` of a trust entry: CRLs that its leaves name, under one of `prefixes`."""

    prefixes: tuple[UrlPrefix, ...]
    allow_private: bool = False

    def covers(self, url: FetchUrl) -> bool:
        """Whether the CRL at `url` may be fetched, if a leaf names it."""
        return any(prefix.covers(url) for prefix in self.prefixes)

    def named_by(self, leaf: Certificate) -> tuple[FetchUrl, ...]:
        """The CRLs that `leaf` names and that may be fetched."""
        return tuple(url for url in crl_urls(leaf) if self.covers(url))


@dataclass(frozen=True, slots=True)
class CrlSource:
    """A CRL that is fetched for a trust entry. `authorities`: the CAs of the entry, of which one must have signed it.

    `allow_private`: whether the host may have an address that is not of the public internet. `named`: whether a leaf
    names it, and not the policy.
    """

    url: FetchUrl
    allow_private: bool
    authorities: tuple[Certificate, ...]
    named: bool = False

    def verified(self, data: bytes) -> tuple[CrlKey, Crl]:
        """The CRL in `data` and the CA that signed it. Raises CrlError."""
        crl = crl_from_bytes(data)
        return crl_key(crl, self.authorities), crl
