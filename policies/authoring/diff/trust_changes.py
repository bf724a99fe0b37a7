"""What changed about who may vouch for callers, in words: no request shows it without a certificate.

Each change says whether a caller may be known that was not (`widens`), or the other way about (`narrows`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.authoring.diff.pairing import EntryPair, content, crl_content
from policies.peer.certificate import Certificate
from policies.peer.crl import Crl
from policies.peer.revocation import Revocation
from policies.peer.trust import TrustEntry

#: The fields whose changes have words of their own.
_TOLD = frozenset(
    {
        "anchors",
        "intermediates",
        "revocation",
        "max_lifetime",
        "clock_skew",
        "min_rsa_bits",
        "crls",
        "unfetched",
    }
)
_STRICTNESS = (Revocation.OFF, Revocation.IF_AVAILABLE, Revocation.REQUIRE)


@dataclass(frozen=True, slots=True)
class TrustChange:
    """One setting of one entry; `text` says how it changed."""

    entry: str
    text: str
    widens: bool
    narrows: bool


def trust_changes(pairs: Sequence[EntryPair]) -> tuple[TrustChange, ...]:
    """Every change of an entry that both policies have, and of CRLs, which count for all entries."""
    found: list[TrustChange] = []
    for pair in pairs:
        if pair.old is not None and pair.new is not None:
            if content(pair.old) != content(pair.new):
                found += _changes(pair.old, pair.new)
        elif pair.new is not None and _revokes(pair.new):
            found.append(
                TrustChange(
                    pair.new.name,
                    "what it knows as revoked is now refused under every entry",
                    widens=False,
                    narrows=True,
                )
            )
        elif pair.old is not None and _revokes(pair.old):
            text = "what it knows as revoked is no longer refused under other entries"
            found.append(TrustChange(pair.old.name, text, widens=True, narrows=False))
    return tuple(found)


def _revokes(entry: TrustEntry) -> bool:
    """Whether a certificate may be refused, under any entry, for what this one knows of it."""
    sources = (entry.unfetched, entry.ocsp, entry.crl_urls, any(crl.serials for crl in entry.crls))
    return entry.revocation is not Revocation.OFF and any(sources)


def _changes(old: TrustEntry, new: TrustEntry) -> Iterable[TrustChange]:
    name = new.name
    # A CRL counts for what its CA leads to, so with a CA some certificate may be known as revoked, or no longer.
    revoking = _revokes(old) or _revokes(new)
    yield from _authorities(name, "anchors", old.anchors, new.anchors, revoking=revoking)
    yield from _authorities(name, "intermediates", old.intermediates, new.intermediates, revoking=revoking)
    before, after = _STRICTNESS.index(old.revocation), _STRICTNESS.index(new.revocation)
    if before != after:
        text = f"revocation {old.revocation} -> {new.revocation}"
        yield TrustChange(name, text, widens=after < before, narrows=after > before)
    for what, mine, its, unit in (
        ("max_lifetime", old.max_lifetime, new.max_lifetime, " s"),
        ("clock_skew", old.clock_skew, new.clock_skew, " s"),
        ("min_rsa_bits", -old.min_rsa_bits, -new.min_rsa_bits, ""),
    ):
        if mine != its:
            wider = its is None or (mine is not None and its > mine)
            text = f"{what} {_number(mine, unit)} -> {_number(its, unit)}"
            yield TrustChange(name, text, widens=wider, narrows=not wider)
    yield from _lists(old, new)
    before_all, after_all = content(old), content(new)
    for field in sorted(before_all.keys() - _TOLD):
        if before_all[field] != after_all[field]:
            # What a setting without words of its own does is not known here, so it may do both.
            yield TrustChange(name, f"another {field}", widens=True, narrows=True)


def _authorities(
    entry: str, what: str, old: Sequence[Certificate], new: Sequence[Certificate], *, revoking: bool
) -> Iterable[TrustChange]:
    for gone in sorted(set(old) - set(new), key=_shown):
        yield TrustChange(entry, f"{what} without {_shown(gone)}", widens=revoking, narrows=True)
    for added in sorted(set(new) - set(old), key=_shown):
        yield TrustChange(entry, f"{what} with {_shown(added)}", widens=True, narrows=revoking)


def _lists(old: TrustEntry, new: TrustEntry) -> Iterable[TrustChange]:
    """CRLs by their issuer: what they list, and for how long they speak."""
    for issuer in sorted({crl.issuer.text for crl in (*old.crls, *new.crls)}):
        mine, its = (_of_issuer(entry, issuer) for entry in (old, new))
        if set(map(crl_content, mine)) == set(map(crl_content, its)):
            continue
        before, after = (frozenset[int]().union(*(crl.serials for crl in crls)) for crls in (mine, its))
        gone, added = len(before - after), len(after - before)
        counted = f"no longer lists {gone}, newly lists {added}" if gone or added else "lists the same"
        yield TrustChange(
            new.name, f"CRL of {issuer}: {counted}", widens=not added or bool(gone), narrows=not gone or bool(added)
        )
    for source in sorted(set(old.unfetched) ^ set(new.unfetched)):
        gone_source = source in old.unfetched
        text = f"CRL {source} {'no longer' if gone_source else 'now'} fetched"
        yield TrustChange(new.name, text, widens=True, narrows=True)


def _of_issuer(entry: TrustEntry, issuer: str) -> list[Crl]:
    return [crl for crl in entry.crls if crl.issuer.text == issuer]


def _shown(ca: Certificate) -> str:
    return f"{ca.subject.text} (sha256 {ca.sha256.hex()[:16]})"


def _number(value: float | None, unit: str) -> str:
    return "any" if value is None else f"{abs(value):g}{unit}"
