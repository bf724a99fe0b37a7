"""Certificates for policy tests, made when they are asked for, under CAs that stand in for those of the policy.

A stand-in has the name of the entry's first anchor and a key of its own. Nothing that a test decides with real
certificates changes through it: no real certificate is signed by it. Its keys exist for one run of tests.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authority import Authority, Issued
from policies.authoring.wish import Wish
from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.crl import crl_from_bytes
from policies.peer.presented import PresentedCertificate, presented_from_der
from policies.peer.trust import TrustEntry, TrustStore

#: Stand-ins and their CRLs are valid whatever the time of a test.
_BEGIN = datetime(1971, 1, 1, tzinfo=UTC)
_DAYS = 365 * 150.0
_LIFE = timedelta(hours=12)
_EXPIRED_FOR = timedelta(hours=1)
_LEEWAY = timedelta(minutes=5)


class StandIns:
    """The maker of certificates of one run of tests under one policy."""

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust
        self._anchors = {entry.name: entry.anchors[0] for entry in trust.entries if entry.anchors}
        self._authorities: dict[tuple[str, str, bool], Authority] = {}
        self._made: dict[tuple[Wish, float], PresentedCertificate] = {}
        self._revoked: dict[tuple[str, str], list[x509.Certificate]] = {}

    def presented(self, wish: Wish, time: float) -> PresentedCertificate:
        """As CertificateMaker."""
        key = wish, time
        if key not in self._made:
            self._made[key] = self._presented(wish, time)
        return self._made[key]

    def trust(self) -> TrustStore:
        """The trust of the policy with the stand-ins that were needed so far; the policy's own if none was."""
        if not self._authorities:
            return self._trust
        return TrustStore([self._with_stand_ins(entry) for entry in self._trust.entries])

    def _presented(self, wish: Wish, time: float) -> PresentedCertificate:
        try:
            issued = self._issued(wish, datetime.fromtimestamp(time, UTC))
        except (OverflowError, OSError) as error:
            raise ValueError(f"no certificate can have such a date: {error}") from None
        if wish.revoked:
            self._revoked.setdefault((wish.entry, wish.issuer), []).append(issued.certificate)
        return presented_from_der(issued.der, [ca.public_bytes(Encoding.DER) for ca in issued.intermediates])

    def _issued(self, wish: Wish, now: datetime) -> Issued:
        if wish.serial == 0:
            raise ValueError("a serial number is positive (RFC 5280 §4.1.2.2)")
        start, end = _dates(wish, now)
        return self._authority(wish.entry, wish.issuer, untrusted=wish.untrusted).issue(
            uri=wish.uri,
            dns=wish.dns,
            email=wish.email,
            ip=wish.ip_san,
            subject=wish.subject or None,
            serial=wish.serial,
            client=wish.client,
            server=wish.server,
            not_before=start,
            not_after=end,
        )

    def _authority(self, entry: str, issuer: str, *, untrusted: bool) -> Authority:
        """The stand-in that issues: the entry's root, or a CA below it that has the name of `issuer`."""
        key = entry, issuer, untrusted
        if key not in self._authorities:
            if entry not in self._anchors:
                raise ValueError(f"the trust entry {entry} has no anchor that another CA could stand in for")
            root = x509.load_der_x509_certificate(self._anchors[entry].der).subject
            if not issuer or x509.Name.from_rfc4514_string(issuer) == root:
                made = Authority.root(root, now=_BEGIN, days=_DAYS)
            else:
                above = self._authority(entry, "", untrusted=untrusted)
                made = above.intermediate(x509.Name.from_rfc4514_string(issuer), days=_DAYS)
            self._authorities[key] = made
        return self._authorities[key]

    def _with_stand_ins(self, entry: TrustEntry) -> TrustEntry:
        roots: list[Certificate] = []
        below: list[Certificate] = []
        crls = []
        for (name, issuer, untrusted), authority in self._authorities.items():
            if name == entry.name and not untrusted:
                certificate = certificate_from_der(authority.issued.der)
                (below if _is_below(authority) else roots).append(certificate)
                listed = self._revoked.get((name, issuer), [])
                end = _BEGIN + timedelta(days=_DAYS)
                crls.append(crl_from_bytes(authority.crl(listed, this_update=_BEGIN, next_update=end)))
        return replace(
            entry,
            anchors=(*entry.anchors, *roots),
            intermediates=(*entry.intermediates, *below),
            crls=(*entry.crls, *crls),
        )


def _is_below(authority: Authority) -> bool:
    certificate = authority.issued.certificate
    return certificate.issuer != certificate.subject


def _dates(wish: Wish, now: datetime) -> tuple[datetime, datetime]:
    """The validity: as wished, else around `now`, but short enough for any lifetime that a policy allows."""
    if wish.expired:
        return now - _EXPIRED_FOR - _LIFE, now - _EXPIRED_FOR
    start = None if wish.not_before is None else datetime.fromtimestamp(wish.not_before, UTC)
    end = None if wish.not_after is None else datetime.fromtimestamp(wish.not_after, UTC)
    if start is None:
        start = now - _LEEWAY if end is None else min(now, end - _LIFE) - _LEEWAY
    return start, start + _LIFE if end is None else end
