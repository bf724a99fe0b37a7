"""Which trust entry a certificate is of, told by the name of its issuer, where that cannot be another entry's.

A name is not a bundle: by itself the name of an issuer proves nothing. But Envoy has verified a chain by CAs that the
policy names and no others (`ask:chain`), so one of them has signed the leaf, and bears the name. Where no two entries
have a CA of that name, the entry is known. And where no CA of one names a CA of another as its issuer, no chain leads
from one to the other, so the engine finds the same entry and no second one.

Names are compared as the engine compares them (RFC 5280 §7.1), which takes all names for equal that Envoy's TLS library
takes for equal. Only names that Envoy writes in one way are used: short types, one value an RDN, printable ASCII.
"""

import re
from collections.abc import Callable, Sequence

from policies.peer.name import DistinguishedName
from policies.peer.trust import TrustEntry

_TYPES = "CN|O|OU|C|L|ST|DC|UID|serialNumber|emailAddress"
#: Neither blanks nor `#` at the ends, for which there are several escapes.
_ORDINARY = r"[A-Za-z0-9!$%&'()*./:?@^_`{|}~\[\]-]"
_VALUE = rf"{_ORDINARY}(?:(?:{_ORDINARY}| |\\[,+;])*{_ORDINARY})?"
_WRITTEN = re.compile(rf"(?:{_TYPES})={_VALUE}(?:,(?:{_TYPES})={_VALUE})*")


def issuers_by_entry(entries: Sequence[TrustEntry]) -> dict[str, tuple[str, ...]]:
    """How Envoy writes the names of the CAs of each entry, by its name; none where they do not tell it apart."""
    return {entry.name: () if _is_mixed(entry, entries) else _written(entry) for entry in entries}


def trust_by_issuer(entries: Sequence[TrustEntry]) -> Callable[[str], tuple[str, ...]]:
    """What gives the entry of a certificate that Envoy judged, by its issuer as Envoy writes it; one is always it."""
    if len(entries) == 1:
        only = (entries[0].name,)
        return lambda issuer: only
    known = {issuer: (name,) for name, issuers in issuers_by_entry(entries).items() for issuer in issuers}
    return lambda issuer: known.get(issuer, ())


def _is_mixed(entry: TrustEntry, entries: Sequence[TrustEntry]) -> bool:
    """Whether a CA of another entry has the name of a CA here, or one is named as the issuer of the other."""
    others = [ca for other in entries if other is not entry for ca in other.authorities]
    subjects, above = ({ca.subject for ca in entry.authorities}, {ca.issuer for ca in entry.authorities})
    related = any(ca.subject in subjects or ca.subject in above or ca.issuer in subjects for ca in others)
    return related or any(_has_bytes(ca.subject) for ca in others)


def _has_bytes(name: DistinguishedName) -> bool:
    """Whether a value is no string to us, whatever Envoy makes of it."""
    return "=#" in name.text


def _written(entry: TrustEntry) -> tuple[str, ...]:
    texts = {ca.subject.text for ca in entry.authorities}
    return tuple(sorted(text for text in texts if _WRITTEN.fullmatch(text)))
