"""Revocation by the CRLs of a trust store, looked up by the issuer's name *and* key.

Laws: what any list names is revoked, whether that list is current, stale or from the future. Only a current list proves
that a certificate which it does not name is good. A name can be imitated, hence the key; but after a change of keys one
CA has several. A list under another key of the CA revokes too where both keys lead to one anchor (RFC 5280 §6.3.3 (f)),
and proves nothing good.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from policies.peer.certificate import Certificate
from policies.peer.crl import Crl, CrlKey
from policies.peer.name import DistinguishedName


class Revocation(StrEnum):
    """How a trust entry treats revocation: not at all; what is known; or only what is known to be good."""

    OFF = "off"
    IF_AVAILABLE = "if-available"
    REQUIRE = "require"


class RevocationLists:
    """Verified CRLs by the CA that signed them."""

    __slots__ = ("_below", "_by_key")

    def __init__(self, crls: Iterable[tuple[CrlKey, Crl]], anchored: Iterable[tuple[Certificate, Crl]] = ()) -> None:
        """`anchored`: each CRL once more with each anchor that the CA which signed it leads to, or is."""
        by_key: defaultdict[CrlKey, list[Crl]] = defaultdict(list)
        for key, crl in crls:
            by_key[key].append(crl)
        below: defaultdict[tuple[DistinguishedName, CrlKey], list[Crl]] = defaultdict(list)
        for anchor, crl in anchored:
            below[crl.issuer, _key(anchor)].append(crl)
        self._by_key, self._below = dict(by_key), dict(below)

    @property
    def keys(self) -> frozenset[CrlKey]:
        """The CAs that have a list here."""
        return frozenset(self._by_key)

    def of(self, issuer: Certificate) -> Sequence[Crl]:
        """The lists that `issuer` signed: they prove good what they do not name."""
        return self._by_key.get(_key(issuer), ())

    def revoking(self, issuer: Certificate, anchor: Certificate) -> Sequence[Crl]:
        """The lists that revoke what `issuer` signed on a path to `anchor`: its own and those of its other keys."""
        own = self.of(issuer)
        others = self._below.get((issuer.subject, _key(anchor)), ())
        return (*own, *(crl for crl in others if not any(crl is known for known in own)))

    def newest(self, key: CrlKey) -> Crl:
        """The list of one CA that no other list of it is newer than. Raises KeyError if it has none."""
        first, *others = self._by_key[key]
        for crl in others:
            if first.older_than(crl):
                first = crl
        return first

    def listed(self, certificate: Certificate) -> bool:
        """Whether any list of a CA that has the name of its issuer names `certificate`, under whatever key."""
        lists = (crl for (name, _), crls in self._by_key.items() if name == certificate.issuer for crl in crls)
        return any(certificate.identity.serial in crl.serials for crl in lists)

    def revoked(self, certificate: Certificate, issuer: Certificate, anchor: Certificate) -> bool:
        """Whether any list names `certificate`, which the key of `issuer` signed, on a path to `anchor`."""
        return any(certificate.identity.serial in crl.serials for crl in self.revoking(issuer, anchor))


def _key(authority: Certificate) -> CrlKey:
    return authority.subject, authority.spki_sha256
