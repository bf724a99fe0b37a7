"""The chain of a certificate under one trust entry: the one that counts, or as far as one could be built.

Law kept here: paths come from the same search as those of `TrustStore.standing`, so what is shown as a chain is one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policies.authoring.examination_check import Check, failed, not_reached, passed
from policies.authoring.examination_wording import called, validity
from policies.language.wording import quoted
from policies.peer.certificate import Certificate
from policies.peer.chain import Authorities, Path, PathSearch, authority_problem
from policies.peer.limits import MAX_CHAIN_DEPTH
from policies.peer.standing import within
from policies.peer.svid import svid_paths
from policies.peer.trust import AnchorSource, TrustEntry
from policies.reason import Reason

CHAIN = "chain"
CA_DATES = "dates of CAs"


class Origin(StrEnum):
    """Where a certificate of a chain comes from; the last three are keys of a trust entry."""

    LEAF = "leaf"
    PRESENTED = "presented"
    INTERMEDIATES = "intermediates"
    ANCHORS = "anchors"
    BUNDLE = "spiffe_bundle"


#: Where the anchors of an entry come from.
ANCHORED = frozenset({Origin.ANCHORS, Origin.BUNDLE})


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate of a chain."""

    certificate: Certificate
    origin: Origin


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for chains came to. `presented`: what came with the leaf. `problem`: why `paths` is empty.

    `unsound`: why none of `paths` is one for SVIDs, if none is, in words.
    """

    entry: TrustEntry
    leaf: Certificate
    presented: Sequence[Certificate]
    paths: tuple[Path, ...]
    problem: str
    unsound: str

    @property
    def known(self) -> Iterable[Certificate]:
        """Every certificate that could be part of a chain above the leaf; what is configured comes first."""
        return (*self.entry.authorities, *self.presented)


def search_chains(entry: TrustEntry, leaf: Certificate, presented: Sequence[Certificate]) -> Search:
    """Look for every chain of `leaf` to an anchor of `entry`, whatever the time."""
    search = PathSearch(
        Authorities.of(entry.anchors, entry.intermediates),
        presented,
        lambda child, issuer: child.signature.verifies(issuer.public_key),
        entry.min_rsa_bits,
    )
    search.run(leaf)
    paths, unsound = svid_paths(tuple(search.paths), entry.spiffe_trust_domain)
    return Search(entry, leaf, presented, paths, search.problem, unsound)


def links_from_certificates(entry: TrustEntry, certificates: Iterable[Certificate]) -> tuple[Link, ...]:
    """The links of a chain, leaf first."""
    leaf, *above = certificates
    return (Link(leaf, Origin.LEAF), *(Link(ca, _origin(entry, ca)) for ca in above))


def partial_chain(search: Search) -> tuple[Certificate, ...]:
    """The leaf and the CAs above it that hold by name and signature, where they lead to no anchor."""
    chain = [search.leaf]
    while len(chain) <= MAX_CHAIN_DEPTH:
        above = (ca for ca in search.known if ca not in chain and not authority_problem(ca))
        issuer = next((ca for ca in above if _issued(chain[-1], ca)), None)
        if issuer is None:
            break
        chain.append(issuer)
    return tuple(chain)


def chain_check(search: Search, chain: Sequence[Certificate], elsewhere: str) -> Check:
    """Whether there is a chain to an anchor. `chain`: the one to show, or what there is of one.

    `elsewhere`: why another entry and not this one is to vouch for it, in words; empty if that cannot be told.
    """
    if not search.paths:
        problem = search.problem or "no chain was found"
        if is_untold(search.entry):
            problem = f"the Workload API of {search.entry.name} was not asked, which a service does"
        finding = "; ".join(words for words in (problem, elsewhere) if words)
        return failed(CHAIN, Reason.CERTIFICATE_UNTRUSTED, finding, "" if elsewhere else _fix(search, chain))
    others = len(search.paths) - 1
    more = f", one of {others + 1} chains" if others else ""
    return passed(CHAIN, f"leads to the anchor {called(chain[-1])}{more}")


def ca_dates_check(entry: TrustEntry, path: Path | None, time: float) -> Check:
    """Whether every CA of `path` is valid at `time`, epoch seconds; both ends count as valid."""
    if path is None:
        return not_reached(CA_DATES, "there is no chain")
    cas = path.certificates[1:]
    bad = next((ca for ca in cas if not in_date(ca, time, entry.clock_skew)), None)
    ca = min(cas, key=lambda ca: ca.not_after) if bad is None else bad
    finding = f"{called(ca)}: {validity(ca.not_before, ca.not_after, time)}"
    if bad is None:
        return passed(CA_DATES, finding if len(cas) == 1 else f"the first to end is {finding}")
    fix = f"renew this CA and {_place(entry, bad)}"
    if time <= bad.not_after:
        fix = "compare the clocks of that CA and of this machine"
    return failed(CA_DATES, Reason.CERTIFICATE_UNTRUSTED, finding, fix)


def in_date(certificate: Certificate, time: float, skew: float) -> bool:
    """Whether `certificate` is valid at `time`, epoch seconds, with dates widened by `skew` seconds."""
    return within(certificate.not_before, time, certificate.not_after, skew)


def _place(entry: TrustEntry, ca: Certificate) -> str:
    """Where a new certificate of `ca` belongs."""
    where = _origin(entry, ca)
    if where is Origin.PRESENTED:
        return "have the client send it"
    return f"put it into `{where}` of {entry.name}" if where is Origin.INTERMEDIATES else as_anchor(entry)


def is_untold(entry: TrustEntry) -> bool:
    """Whether nobody knows whom `entry` trusts, as commands ask no Workload API."""
    return entry.anchors_from is AnchorSource.WORKLOAD_API and not entry.anchors


def as_anchor(entry: TrustEntry) -> str:
    """How a CA becomes an anchor of `entry`, as an imperative."""
    domain = entry.spiffe_trust_domain
    match entry.anchors_from:
        case AnchorSource.ANCHORS:
            return f"add it to `anchors` of {entry.name}"
        case AnchorSource.BUNDLE:
            return f"put a bundle of {domain} that has it into `spiffe_bundle` of {entry.name}"
        case AnchorSource.WORKLOAD_API:
            return f"have it added to the bundle of {domain} that the Workload API of {entry.name} gives"


def _fix(search: Search, chain: Sequence[Certificate]) -> str:
    """What would make a chain whole, by what its top lacks."""
    top, entry = chain[-1], search.entry.name
    issuers = [ca for ca in search.known if ca.subject == top.issuer and ca not in chain]
    # A key that is refused is not worth verifying with: a huge one takes long.
    issuer = next((ca for ca in issuers if ca.problems or _issued(top, ca)), None)
    if is_untold(search.entry):
        bundle = "a file with the bundle (`spire-server bundle show -format spiffe`)"
        return f"to judge by it here, name {bundle} in `spiffe_bundle` of {entry}"
    if top.signature.weakness:
        return f"have {called(top)} issued anew with a signature that counts"
    if any(ca in search.entry.anchors for ca in chain[1:]) or (issuer is not None and not authority_problem(issuer)):
        return (
            "have it issued under a CA whose path length and name constraints permit it, in a shorter chain if need be"
        )
    if issuer is not None:
        return f"have the CA {called(issuer)} issued anew as one that may issue client certificates"
    if top.subject == top.issuer and top is search.leaf:
        return f"it is self-signed, so nobody vouches for it: have a CA of {entry} issue it"
    if top.subject == top.issuer:
        return f"if the self-signed {called(top)} may vouch for callers, {as_anchor(search.entry)}"
    missing = quoted(top.issuer.text or "without a name")
    if issuers:
        return (
            f"a CA named {missing} is there, but with another key: it was renewed, or somebody imitates its name; if "
            f"the one that issued {called(top)} may be trusted, add that one to `intermediates` of {entry}"
        )
    return (
        f"the issuer {missing} is not among anchors and intermediates: add it to `intermediates` of {entry}, or have "
        f"the client send its chain; {as_anchor(search.entry)} if it may vouch for callers by itself"
    )


def _issued(child: Certificate, issuer: Certificate) -> bool:
    """By name, key identifier where both have one, and signature (RFC 5280 §6.1.3)."""
    wanted, found = child.extensions.authority_key_id, issuer.extensions.subject_key_id
    named = child.issuer == issuer.subject and (wanted is None or found is None or wanted == found)
    return named and child.signature.verifies(issuer.public_key)


def _origin(entry: TrustEntry, ca: Certificate) -> Origin:
    if ca in entry.anchors:
        return Origin.ANCHORS if entry.anchors_from is AnchorSource.ANCHORS else Origin.BUNDLE
    return Origin.INTERMEDIATES if ca in entry.intermediates else Origin.PRESENTED
