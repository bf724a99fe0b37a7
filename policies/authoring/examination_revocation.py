"""What CRLs say of a chain: which were looked at, until when each speaks, and whom they list.

Laws kept here, as in `policies.peer.revocation`: what any list of an entry that looks at revocation names is revoked.
Only a current list of the entry itself proves that a certificate is good.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from policies.authoring.examination_check import Check, failed, not_reached, passed
from policies.authoring.examination_wording import called, utc
from policies.language.wording import quoted
from policies.peer.certificate import Certificate
from policies.peer.chain import Path
from policies.peer.crl import Crl, crl_key
from policies.peer.revocation import Revocation, RevocationLists
from policies.peer.standing import within
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason

REVOCATION = "revocation"
_OCSP_FIX = "ask the responder: openssl ocsp -issuer CA.pem -cert FILE -url URL; a service does, a command asks nobody"


@dataclass(frozen=True, slots=True)
class Consulted:
    """A CRL that was asked about `certificate`: whether it `lists` it."""

    crl: Crl
    certificate: Certificate
    lists: bool

    def current(self, time: float) -> bool:
        """Whether the CRL speaks for `time`, epoch seconds."""
        return self.crl.this_update <= time <= self.crl.next_update


def consulted_lists(store: TrustStore, path: Path) -> tuple[Consulted, ...]:
    """Every CRL that counts for a certificate of `path`, leaf first.

    A configured CA is also revoked by a CA outside the path that issued it.
    """
    found = [
        Consulted(crl, certificate, certificate.identity.serial in crl.serials)
        for certificate, issuer in pairwise(path.certificates)
        for crl in store.lists.revoking(issuer, path.certificates[-1])
    ]
    configured = {ca: None for entry in store.entries for ca in entry.authorities}
    for ca in path.certificates[1:]:
        if ca in configured:
            beside = (issuer for issuer in configured if issuer not in path.certificates)
            found += (Consulted(crl, ca, True) for issuer in beside for crl in _listing(store, ca, issuer))
    # Two entries may have loaded one list.
    return tuple({(item.certificate, item.lists, _edition(item.crl)): item for item in found}.values())


def revocation_check(
    entry: TrustEntry, paths: Iterable[Path], path: Path | None, consulted: Iterable[Consulted], time: float
) -> Check:
    """Whether the certificate may be revoked. `path` is the one to show, `consulted` its lists."""
    if path is None:
        return not_reached(REVOCATION, "there is no chain")
    consulted = tuple(consulted)
    listing = next((item for item in consulted if item.lists), None)
    if listing is not None:
        return _listed(path.certificates[0], listing, time)
    if entry.revocation is Revocation.REQUIRE:
        return _required(entry, paths, path, time)
    if entry.revocation is Revocation.OFF:
        return passed(REVOCATION, "`off`: no CRL of this entry is looked at, and none of another entry lists it")
    of_leaf = [item for item in consulted if item.certificate is path.certificates[0]]
    issuer = called(path.certificates[1])
    if not of_leaf:
        finding = f"there is no CRL of {issuer}, and `if-available` asks for none{_unasked(entry)}"
        return passed(REVOCATION, finding)
    stale = "" if any(item.current(time) for item in of_leaf) else "; none is current, which `if-available` takes"
    return passed(REVOCATION, f"no CRL of {issuer} lists it{stale}{_unasked(entry)}")


def _unasked(entry: TrustEntry) -> str:
    """That a service may know more than a command, which fetches nothing."""
    sources = [*map(quoted, entry.unfetched), *([] if entry.ocsp is None else [f"OCSP ({entry.ocsp.text})"])]
    if entry.crl_urls:
        sources.append("the CRL that the certificate names")
    return f"; {', '.join(sources)} was not asked, which a service does" if sources else ""


def _edition(crl: Crl) -> tuple[object, ...]:
    """What tells one list of a CA from another."""
    return crl.issuer, crl.number, crl.this_update, crl.next_update, crl.signature.value


def _listed(leaf: Certificate, listing: Consulted, time: float) -> Check:
    certificate = listing.certificate
    finding = f"{called(certificate)}, serial number {certificate.identity.serial:x}, is on a CRL of " + quoted(
        listing.crl.issuer.text
    )
    if not listing.current(time):
        finding += "; it is not current, but what it lists is revoked"
    fix = "issue a new certificate for a new key"
    if certificate != leaf:
        fix = f"have the certificate issued by another CA than {called(certificate)}"
    return failed(REVOCATION, Reason.CERTIFICATE_REVOKED, finding, fix)


def _required(entry: TrustEntry, paths: Iterable[Path], path: Path, time: float) -> Check:
    """Under `require` one current list of the entry has to speak for the leaf."""
    own = RevocationLists((crl_key(crl, entry.authorities), crl) for crl in entry.crls)
    issuer = called(path.certificates[1])
    crls = [crl for issuer in dict.fromkeys(path.certificates[1] for path in paths) for crl in own.of(issuer)]
    if not crls and entry.ocsp is not None:
        finding = f"`require`, and nothing is known of it{_unasked(entry)}"
        return failed(REVOCATION, Reason.REVOCATION_UNKNOWN, finding, _OCSP_FIX)
    if not crls:
        finding = f"`require`, and {entry.name} has no CRL of {issuer}, which issued the certificate{_unasked(entry)}"
        # The CRL of a CA that is not configured would not load.
        known = path.certificates[1] in entry.authorities
        fix = f"add the CRL of {issuer} to `crls` of {entry.name}" + (
            "" if known else ", and that CA to its `intermediates`"
        )
        return failed(REVOCATION, Reason.REVOCATION_UNKNOWN, finding, fix)
    if any(within(crl.this_update, time, crl.next_update, entry.clock_skew) for crl in crls):
        return passed(REVOCATION, f"`require`: a current CRL of {issuer} does not list it")
    newest = max(crls, key=lambda crl: crl.next_update)
    if newest.next_update < time:
        finding = f"`require`, and the CRL of {issuer} was to be renewed by {utc(newest.next_update)}"
        fix = f"publish a new CRL of {issuer}, and put it where `crls` of {entry.name} says"
    else:
        finding = f"`require`, and the CRL of {issuer} begins at {utc(newest.this_update)}"
        fix = "compare the clocks of that CA and of this machine"
    return failed(REVOCATION, Reason.REVOCATION_UNKNOWN, finding, fix)


def _listing(store: TrustStore, ca: Certificate, issuer: Certificate) -> Iterable[Crl]:
    """The lists of `issuer` that name `ca`. A signature too weak to be verified cannot clear a CA that is listed."""
    if issuer.subject != ca.issuer or not (ca.signature.weakness or ca.signature.verifies(issuer.public_key)):
        return ()
    return (crl for crl in store.lists.of(issuer) if ca.identity.serial in crl.serials)
