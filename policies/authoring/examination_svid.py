"""Whether a certificate keeps the X.509-SVID rules of a trust entry, and what would make it keep them."""

from collections.abc import Iterable
from contextlib import suppress

from policies.authoring.examination_check import Check, failed, passed
from policies.language.wording import quoted
from policies.peer.certificate import Certificate
from policies.peer.errors import SpiffeIdError
from policies.peer.spiffe import SpiffeId, TrustDomain, claims_spiffe
from policies.peer.svid import svid_problem
from policies.peer.trust import TrustEntry
from policies.reason import Reason

SVID = "SVID rules"


def svid_check(leaf: Certificate, entry: TrustEntry, entries: Iterable[TrustEntry], unsound: str) -> Check:
    """The rules of `entry`, one of the `entries` of a policy. `unsound`: why no chain of the leaf is one for SVIDs."""
    domain = entry.spiffe_trust_domain
    problem = svid_problem(leaf, domain)
    if problem:
        return failed(SVID, Reason.SVID_INVALID, problem, _fix(leaf, domain, entries))
    if unsound:
        fix = "have that CA issued anew, without a path in its SPIFFE ID or without a SPIFFE ID"
        return failed(SVID, Reason.SVID_INVALID, unsound, fix)
    if domain is None:
        return passed(SVID, "no SPIFFE ID, and this entry asks for none")
    return passed(SVID, f"{quoted(leaf.extensions.san.uri[0])} is of {quoted(domain.name)}")


def lone_svid_check(leaf: Certificate) -> Check | None:
    """The rules of whichever trust domain `leaf` claims, for want of a policy; None if it claims none."""
    uris = leaf.extensions.san.uri
    if not any(map(claims_spiffe, uris)):
        return None
    domain = _claimed_domain(leaf)
    # Without a domain to claim, the rules end at the count of URIs or at the ID, before any domain is compared.
    problem = svid_problem(leaf, domain or TrustDomain(""))
    if domain is None or problem:
        return failed(SVID, Reason.SVID_INVALID, problem, _fix(leaf, domain, ()))
    return passed(SVID, f"{quoted(uris[0])}: only the trust entry of {quoted(domain.name)} may vouch for it")


def domain_owner(leaf: Certificate, entries: Iterable[TrustEntry]) -> str | None:
    """The name of the entry that has the trust domain which `leaf` claims."""
    claimed = _claimed_domain(leaf)
    owners = (entry.name for entry in entries if claimed is not None and entry.spiffe_trust_domain == claimed)
    return next(owners, None)


def _claimed_domain(leaf: Certificate) -> TrustDomain | None:
    """The trust domain of the first URI that is a SPIFFE ID."""
    for uri in leaf.extensions.san.uri:
        with suppress(SpiffeIdError):
            return SpiffeId.parse(uri).trust_domain
    return None


def _fix(leaf: Certificate, domain: TrustDomain | None, entries: Iterable[TrustEntry]) -> str:
    claimed = _claimed_domain(leaf)
    if claimed is not None and claimed != domain:
        owner = domain_owner(leaf, entries)
        if owner is not None:
            return f"{quoted(claimed.name)} belongs to the entry {owner}: only a CA of that entry may issue its names"
        allowing = f"set `spiffe_trust_domain: {claimed}` in the entry whose CA may issue names of that domain"
        return allowing if domain is None else f"have it issued with a name of `{domain}`; or {allowing}"
    if domain is None:
        return "have it issued with one SPIFFE ID as the standard writes it, or with no spiffe: URI"
    wanted = f"have it issued with one URI SAN spiffe://{domain}/…, as no CA, with the key usage digitalSignature"
    if any(map(claims_spiffe, leaf.extensions.san.uri)):
        return wanted
    return f"{wanted}; a CA of callers without SPIFFE ID needs an entry without `spiffe_trust_domain`"
