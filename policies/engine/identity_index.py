"""Finds the identities that a caller may be without trying every one.

Every identity is filed under atoms one of which must hold for it to hold; an identity without such atoms is tried for
every caller. The index only leaves out what cannot match: the selector itself always has the last word.
"""

from collections.abc import Callable, Iterable, Sequence

from policies.engine.pattern import uri_segments
from policies.engine.selector import (
    AllOf,
    AnyOf,
    Caller,
    DigestIn,
    DnsIs,
    EmailIs,
    NameHas,
    Reference,
    Selector,
    SerialIn,
    UriIs,
    dns_name,
)
from policies.engine.trie import SegmentTrie
from policies.peer.certificate import IdentityFacts

_Atom = UriIs | DnsIs | EmailIs | NameHas | DigestIn | SerialIn
#: Which atom to file an AND under: the one that the fewest certificates share.
_SELECTIVITY: dict[type[Selector], int] = {DigestIn: 0, SerialIn: 1, UriIs: 2, DnsIs: 3, EmailIs: 4, NameHas: 5}


class IdentityIndex:
    """Positions in a sequence of selectors, filed by what a certificate must have."""

    __slots__ = ("_always", "_filed", "_uris", "_when_unknown")

    def __init__(self, selectors: Sequence[Selector]) -> None:
        self._uris: SegmentTrie[list[int]] = SegmentTrie(list)
        self._filed: dict[tuple[object, ...], list[int]] = {}
        self._when_unknown: dict[str, list[int]] = {}
        self._always: list[int] = []
        memo: dict[str, list[_Atom] | None] = {}
        for position, selector in enumerate(selectors):
            atoms = _atoms(selector, memo)
            if atoms is None:
                self._always.append(position)
            for atom in atoms or ():
                self._file(atom, position)

    def candidates(self, caller: Caller) -> list[int]:
        """The positions, in order, of all selectors that `caller` might satisfy."""
        facts = caller.facts
        if facts is None:
            return list(self._always)
        found = set(self._always)
        for uri in facts.uri or ():
            for bucket in self._uris.buckets(uri_segments(uri)):
                found.update(bucket)
        for key in _keys_of_facts(facts):
            found.update(self._filed.get(key, ()))
        for kind, fact in _FACT_OF_KIND.items():
            if kind in self._when_unknown and fact(facts) is None:
                found.update(self._when_unknown[kind])
        return sorted(found)

    def _file(self, atom: _Atom, position: int) -> None:
        self._when_unknown.setdefault(_kind(atom), []).append(position)
        if isinstance(atom, UriIs):
            self._uris.bucket(atom.pattern).append(position)
            return
        for key in _keys_of_atom(atom):
            self._filed.setdefault(key, []).append(position)


def _atoms(selector: Selector, memo: dict[str, list[_Atom] | None]) -> list[_Atom] | None:
    """Atoms of which at least one is not false whenever `selector` is not false; None if there are no such atoms."""
    if isinstance(selector, _Atom):
        return [selector]
    if isinstance(selector, Reference):
        if selector.name not in memo:
            memo[selector.name] = _atoms(selector.target, memo)
        return memo[selector.name]
    if isinstance(selector, AllOf):
        choices = [atoms for part in selector.parts if (atoms := _atoms(part, memo)) is not None]
        return min(choices, key=_cost, default=None)
    if isinstance(selector, AnyOf):
        every: dict[_Atom, None] = {}
        for part in selector.parts:
            atoms = _atoms(part, memo)
            if atoms is None:
                return None
            every.update(dict.fromkeys(atoms))
        return list(every)
    return None


def _cost(atoms: list[_Atom]) -> tuple[int, int]:
    return max((_SELECTIVITY[type(atom)] for atom in atoms), default=0), len(atoms)


def _kind(atom: _Atom) -> str:
    if isinstance(atom, NameHas):
        return "issuer" if atom.of_issuer else "subject"
    if isinstance(atom, DigestIn):
        return "spki" if atom.of_spki else "certificate"
    return type(atom).__name__


_FACT_OF_KIND: dict[str, Callable[[IdentityFacts], object]] = {
    UriIs.__name__: lambda facts: facts.uri,
    DnsIs.__name__: lambda facts: facts.dns,
    EmailIs.__name__: lambda facts: facts.email,
    SerialIn.__name__: lambda facts: facts.serial,
    "subject": lambda facts: facts.subject,
    "issuer": lambda facts: facts.issuer,
    "spki": lambda facts: facts.spki_sha256,
    "certificate": lambda facts: None if facts.twin_sha256 is None else facts.cert_sha256,
}


def _keys_of_atom(atom: _Atom) -> Iterable[tuple[object, ...]]:
    if isinstance(atom, DnsIs):
        yield ("dns", atom.pattern.depth > 0, atom.pattern.suffix)
    elif isinstance(atom, EmailIs):
        yield ("email", atom.address)
    elif isinstance(atom, SerialIn):
        for serial in atom.serials:
            yield ("serial", serial)
    elif isinstance(atom, DigestIn):
        for digest in atom.digests:
            yield (_kind(atom), digest)
    elif isinstance(atom, NameHas):
        for value in atom.values:
            yield (_kind(atom), atom.oid, value)


def _keys_of_facts(facts: IdentityFacts) -> Iterable[tuple[object, ...]]:
    for dns in facts.dns or ():
        name = dns_name(dns)
        yield ("dns", False, name)
        yield ("dns", True, name.partition(".")[2])
    for email in facts.email or ():
        address = email.lower()
        yield ("email", address)
        yield ("email", "*@" + address.partition("@")[2])
    yield ("serial", facts.serial)
    yield ("certificate", facts.cert_sha256)
    for twin in facts.twin_sha256 or ():
        yield ("certificate", twin)
    yield ("spki", facts.spki_sha256)
    for kind, name_ in (("subject", facts.subject), ("issuer", facts.issuer)):
        for rdn in name_.rdns if name_ is not None else ():
            for oid, value in rdn:
                yield (kind, oid, value)
