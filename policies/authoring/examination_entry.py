"""What one trust entry of a policy says of a certificate: its own bounds, the chain, the SVID rules, revocation.

Law kept here: the checks stand in the order in which `TrustStore.standing` meets them, so that the first failure has
the reason for which the entry refuses the certificate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from policies.authoring.examination_chain import (
    CA_DATES,
    CHAIN,
    Link,
    Search,
    ca_dates_check,
    chain_check,
    in_date,
    links_from_certificates,
    partial_chain,
    search_chains,
)
from policies.authoring.examination_check import Check, first_reason, not_reached, untrusted
from policies.authoring.examination_leaf import dates_check
from policies.authoring.examination_revocation import REVOCATION, Consulted, consulted_lists, revocation_check
from policies.authoring.examination_svid import SVID, domain_owner, svid_check
from policies.authoring.examination_wording import span
from policies.language.wording import listed
from policies.peer.certificate import Certificate
from policies.peer.chain import Path
from policies.peer.signature import rsa_shortness
from policies.peer.trust import TrustEntry, TrustStore
from policies.reason import Reason

CLOCK_SKEW = "clock_skew"
MAX_LIFETIME = "max_lifetime"
MIN_RSA_BITS = "min_rsa_bits"
KEY_USAGE = "key usage"

#: Every check of a trust entry, in order.
ENTRY_CHECKS = (CLOCK_SKEW, MAX_LIFETIME, MIN_RSA_BITS, KEY_USAGE, CHAIN, CA_DATES, SVID, REVOCATION)


@dataclass(frozen=True, slots=True)
class EntryExamination:
    """What the trust entry named `entry` says.

    `links`: the chain, leaf first; `whole`: it leads to an anchor. `lists`: the CRLs that were asked about it.
    `skew`: seconds by which the entry lets clocks differ for this certificate.
    """

    entry: str
    links: tuple[Link, ...]
    whole: bool
    checks: tuple[Check, ...]
    lists: tuple[Consulted, ...]
    skew: float

    @property
    def reason(self) -> Reason | None:
        """Why this entry refuses the certificate, if it is fine by itself; None if it does not."""
        return first_reason(self.checks)


def examinations_under_entries(
    store: TrustStore, leaf: Certificate, presented: Sequence[Certificate], time: float
) -> tuple[EntryExamination, ...]:
    """What every entry of `store` says of `leaf` at `time` (epoch seconds); all checks are made, whichever fails."""
    searches = [search_chains(entry, leaf, presented) for entry in store.entries]
    widest = max(map(_skew, searches), default=0.0)
    return tuple(_examination(store, search, _elsewhere(search, searches), time, widest) for search in searches)


def _skew(search: Search) -> float:
    """An entry that has no chain for a certificate does not prolong its life."""
    return search.entry.clock_skew if search.paths else 0.0


def _examination(
    store: TrustStore, search: Search, elsewhere: str, time: float, widest_skew: float
) -> EntryExamination:
    entry, leaf = search.entry, search.leaf
    skew = _skew(search)
    path, lists = _path_to_show(store, search.paths, time, skew)
    certificates = partial_chain(search) if path is None else path.certificates
    checks: tuple[Check, ...] = (
        _skew_check(leaf, time, skew, widest_skew),
        _lifetime_check(leaf, entry),
        _rsa_check(leaf, entry),
        key_usage_check(leaf, svid=entry.spiffe_trust_domain is not None),
        chain_check(search, certificates, elsewhere),
        ca_dates_check(entry, path, time),
        svid_check(leaf, entry, store.entries, search.unsound),
        revocation_check(entry, search.paths, path, lists, time),
    )
    if path is None and elsewhere:
        # To mend it here would let this entry vouch for the callers of another.
        checks = tuple(replace(check, fix="") for check in checks)
    links = links_from_certificates(entry, certificates)
    return EntryExamination(entry.name, links, path is not None, checks, lists, skew)


def key_usage_check(leaf: Certificate, *, svid: bool) -> Check:
    """Whether the key may sign a handshake, and nothing that only a CA signs. `svid`: the SVID rules say it instead."""
    usage = leaf.key_usage
    problem = ""
    if usage is None:
        found = "no key usage, which means any use"
    else:
        found = f"the key usage is {listed(sorted(usage), 'and')}" if usage else "the key usage is empty"
        if not svid and not usage & {"digitalSignature", "keyAgreement"}:
            problem = f"{found}, without `digitalSignature`"
        elif not svid and "keyCertSign" in usage:
            problem = f"{found}; `keyCertSign` is for CAs only"
    return untrusted(KEY_USAGE, problem, found, "have it issued with the key usage digitalSignature, and as no CA")


def _elsewhere(search: Search, searches: Iterable[Search]) -> str:
    """Why no CA should be added to this entry: the certificate is a matter of another one. Empty if none claims it."""
    owner = domain_owner(search.leaf, (other.entry for other in searches))
    if owner is not None and owner != search.entry.name:
        return f"its SPIFFE ID is a matter of the entry {owner}"
    found = next((other.entry.name for other in searches if other.paths), None)
    return "" if found is None else f"the entry {found} has a chain for it"


def _lifetime_check(leaf: Certificate, entry: TrustEntry) -> Check:
    lifetime = leaf.not_after - leaf.not_before
    found = f"issued for {span(lifetime)}"
    if entry.max_lifetime is None:
        return untrusted(MAX_LIFETIME, "", f"{found}; this entry sets no bound", "")
    allowed = span(entry.max_lifetime)
    problem = f"{found}, at most {allowed} are allowed" if lifetime > entry.max_lifetime else ""
    fix = f"have it issued for {allowed} or less, or raise `max_lifetime` of {entry.name}"
    return untrusted(MAX_LIFETIME, problem, f"{found}, {allowed} are allowed", fix)


def _skew_check(leaf: Certificate, time: float, skew: float, widest: float) -> Check:
    """Whether the dates hold here, where they hold under some entry."""
    if dates_check(CLOCK_SKEW, leaf, time, widest).reason is not None:
        return not_reached(CLOCK_SKEW, "the certificate is out of date under every entry")
    return dates_check(CLOCK_SKEW, leaf, time, skew)


def _rsa_check(leaf: Certificate, entry: TrustEntry) -> Check:
    least = entry.min_rsa_bits
    fix = f"have it issued for an RSA key of {least} bits or more, or for an EC key"
    problem = rsa_shortness(leaf.public_key, least)
    return untrusted(MIN_RSA_BITS, problem, f"{leaf.key_kind}; an RSA key needs {least} bits", fix)


def _path_to_show(
    store: TrustStore, paths: Sequence[Path], time: float, skew: float
) -> tuple[Path | None, tuple[Consulted, ...]]:
    """The path that decides, with its lists: one that holds if there is one, as one is enough."""
    live = [path for path in paths if all(in_date(ca, time, skew) for ca in path.certificates[1:])]
    shown: tuple[Path | None, tuple[Consulted, ...]] = None, ()
    for path in live or paths[:1]:
        lists = consulted_lists(store, path)
        if not any(item.lists for item in lists):
            return path, lists
        if shown[0] is None:
            shown = path, lists
    return shown
