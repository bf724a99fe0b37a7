"""Which trust entry of one policy is which of the other: by content, so that a new name changes nothing.

What is left over is paired by its SPIFFE trust domain, else by name; a pair that differs is told in words, as no
request can show it without certificates. Every other entry stands alone: nobody whom only it vouches for is known to
the other policy.
"""

from collections.abc import Hashable
from dataclasses import dataclass, fields

from policies.engine.policy_set import PolicySet
from policies.peer.crl import Crl
from policies.peer.trust import TrustEntry

_SAYS_NOTHING = frozenset({"name", "bundle_sequence"})


@dataclass(frozen=True, slots=True)
class EntryPair:
    """One entry in both policies, or None in one of them. `key`: the name under which conditions of both know it."""

    key: str
    old: TrustEntry | None
    new: TrustEntry | None

    @property
    def trust_domain(self) -> str | None:
        """The SPIFFE trust domain that it speaks for, the same on both sides."""
        entry = self.new or self.old
        domain = entry.spiffe_trust_domain if entry is not None else None
        return None if domain is None else domain.name


def entry_pairs(old: PolicySet, new: PolicySet) -> tuple[EntryPair, ...]:
    """Every entry of both policies, once."""
    olds, news = list(old.trust.entries), list(new.trust.entries)
    found: list[tuple[TrustEntry | None, TrustEntry | None]] = []
    for same in (_same_name_and_content, _same_content, _same_trust_domain, _same_name):
        for mine in tuple(olds):
            other = next((entry for entry in news if same(mine, entry)), None)
            if other is not None:
                found.append((mine, other))
                olds.remove(mine)
                news.remove(other)
    found += [(entry, None) for entry in olds]
    found += [(None, entry) for entry in news]
    return tuple(EntryPair(str(number), *pair) for number, pair in enumerate(found))


def content(entry: TrustEntry) -> dict[str, object]:
    """All that an entry says, by field; its name and the number of its bundle say nothing about a certificate."""
    said: dict[str, object] = {
        field.name: getattr(entry, field.name) for field in fields(entry) if field.name not in _SAYS_NOTHING
    }
    return said | {
        "anchors": frozenset(ca.sha256 for ca in entry.anchors),
        "intermediates": frozenset(ca.sha256 for ca in entry.intermediates),
        "crls": frozenset(map(crl_content, entry.crls)),
        "unfetched": frozenset(entry.unfetched),
    }


def crl_content(crl: Crl) -> Hashable:
    """All that a CRL says."""
    return crl.issuer, crl.number, crl.this_update, crl.next_update, crl.serials


def _same_name_and_content(old: TrustEntry, new: TrustEntry) -> bool:
    return old.name == new.name and content(old) == content(new)


def _same_content(old: TrustEntry, new: TrustEntry) -> bool:
    return content(old) == content(new)


def _same_trust_domain(old: TrustEntry, new: TrustEntry) -> bool:
    return old.spiffe_trust_domain is not None and old.spiffe_trust_domain == new.spiffe_trust_domain


def _same_name(old: TrustEntry, new: TrustEntry) -> bool:
    return old.name == new.name and old.spiffe_trust_domain == new.spiffe_trust_domain
