"""Revocation by the CRLs of a trust store, looked up by the issuer's name *and* key.

Laws: what any list names is revoked, whether that list is current, stale or from the future. Only a current list proves
that a certificate which it does not name is good.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl, CrlKey


class Revocation(StrEnum):
    """How a trust entry treats revocation: not at all; what is known; or only what is known to be good."""

    OFF = "off"
    IF_AVAILABLE = "if-available"
    REQUIRE = "require"


class RevocationLists:
    """Verified CRLs by the CA that signed them."""

    __slots__ = ("_by_key",)

    def __init__(self, crls: Iterable[tuple[CrlKey, Crl]]) -> None:
        by_key: defaultdict[CrlKey, list[Crl]] = defaultdict(list)
        for key, crl in crls:
            by_key[key].append(crl)
        self._by_key = dict(by_key)

    @property
    def keys(self) -> frozenset[CrlKey]:
        """The CAs that have a list here."""
        return frozenset(self._by_key)

    def of(self, issuer: Certificate) -> Sequence[Crl]:
        """The lists that `issuer` signed."""
        return self._by_key.get((issuer.subject, issuer.spki_sha256), ())

    def newest(self, key: CrlKey) -> Crl:
        """The list of one CA that no other list of it is newer than. Raises KeyError if it has none."""
        first, *others = self._by_key[key]
        for crl in others:
            if first.older_than(crl):
                first = crl
        return first

    def revoked(self, certificate: Certificate, issuer: Certificate) -> bool:
        """Whether any list of `issuer`, whose key signed `certificate`, names it."""
        return any(certificate.identity.serial in crl.serials for crl in self.of(issuer))
