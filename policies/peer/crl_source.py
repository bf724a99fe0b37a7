"""Where a CRL is fetched from, by the word of the policy, and what is accepted from there. Nothing is fetched here."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl, CrlKey, crl_from_bytes, crl_key
from policies.peer.limits import MAX_CRL_URL_CHARS

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class CrlUrl:
    """An http or https URL. `host`: a name, or an address without brackets; `target`: path and query, never empty."""

    text: str
    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL as written in a policy. Raises ValueError with a sentence for its author."""
        if len(text) > MAX_CRL_URL_CHARS:
            raise ValueError(f"a URL has at most {MAX_CRL_URL_CHARS} characters")
        if not all("!" <= character <= "~" for character in text) or "\\" in text:
            raise ValueError("a URL is written in printable ASCII, without blanks and backslashes")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ValueError(f"not a URL: {error}") from error
        if parts.scheme not in _PORTS or not host or port == 0:
            raise ValueError("a CRL is fetched from http://… or https://…")
        if "@" in parts.netloc or "#" in text:
            raise ValueError("the URL of a CRL has no user, no password and no fragment")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(text, parts.scheme, host, port or _PORTS[parts.scheme], target)


@dataclass(frozen=True, slots=True)
class CrlSource:
    """One `{url: …}` of a trust entry. `authorities`: the CAs of the entry, of which one must have signed the CRL.

    `allow_private`: whether the host may have an address that is not of the public internet.
    """

    url: CrlUrl
    allow_private: bool
    authorities: tuple[Certificate, ...]

    def verified(self, data: bytes) -> tuple[CrlKey, Crl]:
        """The CRL in `data` and the CA that signed it. Raises CrlError."""
        crl = crl_from_bytes(data)
        return crl_key(crl, self.authorities), crl
