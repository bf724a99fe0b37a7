"""Which certificates Envoy may judge by itself: those of one trust entry whose CAs leave no question open.

A name is not a bundle: Envoy knows the names in a certificate, not the anchor above it. So there must be one entry,
and every CA that a client presents must be one that the policy names: then each path leads through CAs that are judged
here, once, and what changes with time has a deadline.
"""

import math
from dataclasses import dataclass

from policies.engine.policy_set import PolicySet
from policies.peer.certificate import Certificate
from policies.peer.chain import Authorities, PathSearch, authority_problem
from policies.peer.digest import sha256
from policies.peer.limits import MAX_CHAIN_DEPTH, MIN_RSA_BITS
from policies.peer.revocation import Revocation
from policies.peer.signature import rsa_shortness
from policies.peer.spiffe import TrustDomain
from policies.peer.svid import signing_problem
from policies.peer.trust import TrustEntry, TrustStore


@dataclass(frozen=True, slots=True)
class Admission:
    """What Envoy needs to know of the one trust entry.

    - `authorities`: SHA-256 of the CAs that a client may present, hex.
    - `until`: epoch seconds after which peergate is asked again: a CA has expired, or no CRL is current.
    - `serials`: of what the CRLs list, whoever issued it.
    - `max_lifetime`: seconds, None = unbounded.
    - `stamp`: what tells connections that were let in by these CAs from those that were let in by others.
    """

    entry: str
    trust_domain: TrustDomain | None
    authorities: tuple[str, ...]
    until: float
    serials: frozenset[int]
    max_lifetime: float | None
    stamp: str


def admission_from_policy(policy: PolicySet, time: float) -> Admission | str:
    """The admission of the policy's certificates from `time` (epoch seconds) on, or why every request is asked."""
    entries = policy.trust.entries
    if len(entries) != 1:
        return "trust" if entries else "no-trust"
    (entry,) = entries
    if entry.min_rsa_bits != MIN_RSA_BITS:
        return "min_rsa_bits"
    if entry.ocsp is not None and entry.revocation is not Revocation.OFF:
        return "ocsp"
    if entry.crl_urls and entry.revocation is not Revocation.OFF:
        return "crl_urls"
    if entry.unfetched and entry.revocation is Revocation.REQUIRE:
        return "revocation"
    # A CA that has ended lets nobody in anew, but its connections and sessions may still be there.
    if any(ca.not_after < time or _is_questionable(ca, entry, policy.trust) for ca in entry.authorities):
        return "authority"
    until = min((ca.not_after for ca in entry.authorities), default=-math.inf)
    if entry.revocation is Revocation.REQUIRE:
        until = min(until, *(_proven_until(ca, policy.trust, time) for ca in entry.authorities))
    if until < time:
        return "revocation" if entry.authorities else "authority"
    heeded = () if entry.revocation is Revocation.OFF else entry.crls
    return Admission(
        entry=entry.name,
        trust_domain=entry.spiffe_trust_domain,
        authorities=tuple(sorted({ca.sha256.hex() for ca in entry.authorities})),
        until=until,
        serials=frozenset[int]().union(*(crl.serials for crl in heeded)),
        max_lifetime=entry.max_lifetime,
        stamp=_stamp(entry),
    )


def _stamp(entry: TrustEntry) -> str:
    """Sixteen hex digits over the CAs of `entry`, and which of them are anchors."""
    anchors = ",".join(sorted(ca.sha256.hex() for ca in entry.anchors))
    others = ",".join(sorted(ca.sha256.hex() for ca in entry.intermediates))
    return sha256(f"{anchors};{others}".encode()).hex()[:16]


def _is_questionable(ca: Certificate, entry: TrustEntry, store: TrustStore) -> bool:
    """Whether some path through `ca` could be judged in another way than Envoy's verification does."""
    if (
        authority_problem(ca)
        or ca.extensions.name_constraints is not None
        or rsa_shortness(ca.public_key, entry.min_rsa_bits)
    ):
        return True
    if entry.spiffe_trust_domain is not None and signing_problem(ca):
        return True
    if ca in store.revoked_authorities:
        return True
    search = PathSearch(
        Authorities.of(entry.anchors, entry.intermediates),
        (),
        lambda child, issuer: child.signature.verifies(issuer.public_key),
    )
    search.run(ca)
    return ca not in entry.anchors and not any(_may_issue_leaves(path.certificates) for path in search.paths)


def _may_issue_leaves(path: tuple[Certificate, ...]) -> bool:
    """Whether what is above the first CA of `path` lets it issue leaves: for Envoy each CA is an anchor."""
    limits = (issuer.extensions.path_length for issuer in path[1:])
    kept = all(limit is None or limit >= below for below, limit in enumerate(limits, start=1))
    return kept and len(path) <= MAX_CHAIN_DEPTH + 1


def _proven_until(ca: Certificate, store: TrustStore, time: float) -> float:
    """Until when a CRL of `ca` proves good what it does not list; minus infinity if none does at `time`."""
    current = (crl.next_update for crl in store.lists.of(ca) if crl.this_update <= time)
    return max(current, default=-math.inf)
