"""Which certificates Envoy may judge by itself: those of trust entries whose CAs leave no question open.

A name is not a bundle: Envoy knows the names in a certificate, not the anchor above it. So there must be one entry, or
the issuer must tell which (`extauth.native.issuers`), and every CA that a client presents must be one that the policy
names: then each path leads through CAs that are judged here, once, and what changes with time has a deadline.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from extauth.native.issuers import issuers_by_entry
from policies.engine.policy_set import PolicySet
from policies.peer.certificate import Certificate
from policies.peer.chain import Authorities, PathSearch, authority_problem
from policies.peer.digest import sha256
from policies.peer.limits import MIN_RSA_BITS
from policies.peer.revocation import Revocation
from policies.peer.signature import rsa_shortness
from policies.peer.spiffe import TrustDomain
from policies.peer.svid import signing_problem
from policies.peer.trust import TrustEntry, TrustStore


@dataclass(frozen=True, slots=True)
class EntryAdmission:
    """What Envoy needs to know of one trust entry.

    - `asked`: why its callers are asked about; empty if Envoy judges them.
    - `issuers`: as Envoy writes the names of its CAs; unused where it is the only entry.
    - `authorities`: SHA-256 of the CAs that its callers may present, hex.
    - `until`: epoch seconds after which peergate is asked again: a CA has expired, or no CRL is current.
    - `max_lifetime`: seconds, None = unbounded.
    """

    entry: str
    asked: str
    trust_domain: TrustDomain | None
    issuers: tuple[str, ...]
    authorities: tuple[str, ...]
    until: float
    max_lifetime: float | None


@dataclass(frozen=True, slots=True)
class Admission:
    """What Envoy needs to know of all trust entries, of which it judges at least one.

    - `serials`: of what the CRLs list, whoever issued it: what is revoked under one entry is refused under every one.
    - `stamp`: what tells connections that were let in by these CAs from those that were let in by others.
    """

    entries: tuple[EntryAdmission, ...]
    serials: frozenset[int]
    stamp: str

    @property
    def judged(self) -> tuple[EntryAdmission, ...]:
        """The entries whose callers Envoy judges."""
        return tuple(entry for entry in self.entries if not entry.asked)

    @property
    def until(self) -> float:
        """Epoch seconds after which peergate is asked again about some of them."""
        return min(entry.until for entry in self.judged)


def admission_from_policy(policy: PolicySet, time: float) -> Admission | str:
    """The admission of the policy's certificates from `time` (epoch seconds) on, or why every request is asked."""
    entries = policy.trust.entries
    if not entries:
        return "no-trust"
    issuers = issuers_by_entry(entries)
    found = tuple(_entry_admission(entry, issuers[entry.name], policy.trust, time) for entry in entries)
    if all(entry.asked for entry in found):
        # One entry after the other: that they cannot be told apart is not what to mend first.
        return next((entry.asked for entry in found if entry.asked != "trust"), "trust")
    return Admission(found, listed_serials(entries), _stamp(entries))


def listed_serials(entries: Sequence[TrustEntry]) -> frozenset[int]:
    """The serial numbers that CRLs list, of all entries that heed them."""
    heeded = (crl for entry in entries if entry.revocation is not Revocation.OFF for crl in entry.crls)
    return frozenset[int]().union(*(crl.serials for crl in heeded))


def _entry_admission(entry: TrustEntry, issuers: tuple[str, ...], store: TrustStore, time: float) -> EntryAdmission:
    asked = "trust" if len(store.entries) > 1 and not issuers else _problem(entry, store, time)
    return EntryAdmission(
        entry=entry.name,
        asked=asked,
        trust_domain=entry.spiffe_trust_domain,
        issuers=issuers,
        authorities=tuple(sorted({ca.sha256.hex() for ca in entry.authorities})),
        until=_until(entry, store, time),
        max_lifetime=entry.max_lifetime,
    )


def _problem(entry: TrustEntry, store: TrustStore, time: float) -> str:
    """Why the callers of `entry` are asked about; empty if Envoy can judge them."""
    if entry.min_rsa_bits != MIN_RSA_BITS:
        return "min_rsa_bits"
    if entry.ocsp is not None and entry.revocation is not Revocation.OFF:
        return "ocsp"
    if entry.crl_urls and entry.revocation is not Revocation.OFF:
        return "crl_urls"
    if entry.unfetched and entry.revocation is Revocation.REQUIRE:
        return "revocation"
    # A CA that has ended lets nobody in anew, but its connections and sessions may still be there.
    if not entry.authorities or any(
        ca.not_after < time or _is_questionable(ca, entry, store) for ca in entry.authorities
    ):
        return "authority"
    return "revocation" if _until(entry, store, time) < time else ""


def _until(entry: TrustEntry, store: TrustStore, time: float) -> float:
    ends = [ca.not_after for ca in entry.authorities]
    if entry.revocation is Revocation.REQUIRE:
        ends += [_proven_until(ca, store, time) for ca in entry.authorities]
    return min(ends, default=-math.inf)


def _stamp(entries: Sequence[TrustEntry]) -> str:
    """Sixteen hex digits over the CAs of each entry, and which of them are anchors."""
    told = []
    for entry in entries:
        anchors = ",".join(sorted(ca.sha256.hex() for ca in entry.anchors))
        others = ",".join(sorted(ca.sha256.hex() for ca in entry.intermediates))
        told.append(f"{anchors};{others}")
    return sha256("|".join(sorted(told)).encode()).hex()[:16]


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
    # Envoy takes each of these CAs as an anchor, whatever those above it say of the length of a path.
    search.run_below(ca)
    return not search.paths and ca not in entry.anchors


def _proven_until(ca: Certificate, store: TrustStore, time: float) -> float:
    """Until when a CRL of `ca` proves good what it does not list; minus infinity if none does at `time`."""
    current = (crl.next_update for crl in store.lists.of(ca) if crl.this_update <= time)
    return max(current, default=-math.inf)
