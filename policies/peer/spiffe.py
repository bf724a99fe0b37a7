"""SPIFFE IDs and trust domains, by the SPIFFE-ID standard to the letter: parsed or refused, never normalised.

https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
"""

import re
from dataclasses import dataclass
from typing import Self

from policies.peer.errors import SpiffeIdError
from policies.peer.limits import MAX_SPIFFE_ID_BYTES, MAX_TRUST_DOMAIN_BYTES

_SCHEME = "spiffe://"
# §2.1: the host part alone, in lower case; no userinfo, no port, no percent-encoding.
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
# §2.2: letters, digits, dots, dashes, underscores; no percent-encoding; no empty and no dot segments.
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class TrustDomain:
    """The name of a trust domain, such as `acme.internal`."""

    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The trust domain that `text` names. Raises SpiffeIdError (SPIFFE-ID §2.1)."""
        if not text:
            raise SpiffeIdError("the trust domain is empty")
        if text.startswith(_SCHEME):
            raise SpiffeIdError(f"a trust domain is written without {_SCHEME}: write {text.removeprefix(_SCHEME)[:80]}")
        if not _TRUST_DOMAIN.fullmatch(text):
            raise SpiffeIdError(f"the trust domain {text[:80]!r} may hold only a-z 0-9 . - _")
        if len(text) > MAX_TRUST_DOMAIN_BYTES:
            raise SpiffeIdError(f"the trust domain is longer than {MAX_TRUST_DOMAIN_BYTES} bytes")
        return cls(text)

    def __str__(self) -> str:
        """The name."""
        return self.name


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """A SPIFFE ID. `path` is empty (the trust domain itself) or starts with `/`."""

    trust_domain: TrustDomain
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The SPIFFE ID that `text` is, byte for byte. Raises SpiffeIdError (SPIFFE-ID §2)."""
        if len(text) > MAX_SPIFFE_ID_BYTES:
            raise SpiffeIdError(f"a SPIFFE ID has at most {MAX_SPIFFE_ID_BYTES} bytes, this one has {len(text)}")
        if not text.startswith(_SCHEME):
            raise SpiffeIdError(
                f"a SPIFFE ID starts with {_SCHEME} in lower case, this one with {text[: len(_SCHEME)]!r}"
            )
        authority, slash, path = text[len(_SCHEME) :].partition("/")
        trust_domain = TrustDomain.parse(authority)
        for segment in path.split("/") if slash else ():
            if segment in ("", ".", ".."):
                raise SpiffeIdError(f"the path of {text[:80]!r} has an empty, '.' or '..' segment")
            if not _SEGMENT.fullmatch(segment):
                raise SpiffeIdError(f"the path segment {segment[:80]!r} may hold only letters, digits, . - _")
        return cls(trust_domain, slash + path)

    def __str__(self) -> str:
        """The URI, as it was parsed."""
        return f"{_SCHEME}{self.trust_domain.name}{self.path}"


def claims_spiffe(uri: str) -> bool:
    """Whether `uri` claims to be a SPIFFE ID, well-formed or not: URI schemes are case-insensitive (RFC 3986 §3.1)."""
    return uri[:7].lower() == "spiffe:"
