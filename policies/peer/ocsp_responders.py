"""Whom a trust entry asks about its leaves: one responder, or those that certificates name under allowed prefixes."""

from dataclasses import dataclass

from policies.peer.certificate import Certificate
from policies.peer.certificate_urls import ocsp_urls
from policies.peer.fetch_url import FetchUrl, UrlPrefix
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
