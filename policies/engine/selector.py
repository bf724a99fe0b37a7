"""Compiled identity selectors: what must be true of a caller.

Certificate fields are false for an unauthenticated caller, unknown where an enforcement point was not shown them.
A selector answers with every way in which it is satisfied: a certificate with several SANs may do so in several.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from policies.engine.host import HostPattern
from policies.engine.limits import MAX_JOINED_PAIRS
from policies.engine.pattern import SegmentPattern, uri_segments
from policies.engine.truth import (
    NO_BINDINGS,
    SATISFIED,
    TRUE,
    UNDECIDED,
    UNKNOWN,
    UNSATISFIED,
    Bindings,
    Solutions,
    Truth,
    joined,
    truth_of,
)
from policies.peer.certificate import IdentityFacts
from policies.peer.name import DistinguishedName

Network = IPv4Network | IPv6Network
NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the facts of a certificate that passes the entries in `trust`, or nobody (`facts` None).

    `maybe`: entries of which it is unknown whether the certificate passes them.
    """

    facts: IdentityFacts | None
    trust: frozenset[str]
    maybe: frozenset[str] = NO_NAMES
    memo: dict[str, Solutions] = field(default_factory=dict, compare=False, repr=False)


class Selector(ABC):
    """One condition on the caller."""

    __slots__ = ()

    @abstractmethod
    def solutions(self, caller: Caller) -> Solutions:
        """Every way in which `caller` satisfies this."""

    def admits_unauthenticated(self) -> bool:
        """Whether an `allow` may match a caller without certificate through this.

        Only through an alternative that is `unauthenticated`, outside `not`.
        """
        return False

    @property
    def may_bind(self) -> frozenset[str]:
        """The names that some alternative binds."""
        return NO_NAMES

    @property
    def must_bind(self) -> frozenset[str]:
        """The names that every alternative binds."""
        return self.may_bind


@dataclass(frozen=True, slots=True)
class Authenticated(Selector):
    """The certificate passes at least one trust entry."""

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE with a certificate."""
        return UNSATISFIED if caller.facts is None else SATISFIED


@dataclass(frozen=True, slots=True)
class Unauthenticated(Selector):
    """No certificate was presented."""

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE without a certificate."""
        return SATISFIED if caller.facts is None else UNSATISFIED

    def admits_unauthenticated(self) -> bool:
        """This is the alternative that does."""
        return True


@dataclass(frozen=True, slots=True)
class Anyone(Selector):
    """With or without a certificate; only under `deny`."""

    def solutions(self, caller: Caller) -> Solutions:
        """Always TRUE."""
        return SATISFIED


@dataclass(frozen=True, slots=True)
class TrustIs(Selector):
    """The certificate passes one of these trust entries."""

    entries: frozenset[str]

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if one of the entries vouches for the caller."""
        if not self.entries.isdisjoint(caller.trust):
            return SATISFIED
        return UNSATISFIED if self.entries.isdisjoint(caller.maybe) else UNDECIDED


@dataclass(frozen=True, slots=True)
class UriIs(Selector):
    """A URI SAN matches. `trust`: the entry whose trust domain a spiffe:// pattern carries, None for other schemes."""

    pattern: SegmentPattern
    trust: str | None

    def solutions(self, caller: Caller) -> Solutions:
        """One solution for every URI SAN that matches."""
        if caller.facts is None or (self.trust is not None and self.trust not in caller.trust):
            return UNSATISFIED
        if caller.facts.uri is None:
            return UNDECIDED
        return _solutions(self.pattern.bound(uri_segments(uri)) for uri in caller.facts.uri)

    @property
    def may_bind(self) -> frozenset[str]:
        """The captures of the pattern."""
        return self.pattern.captures


@dataclass(frozen=True, slots=True)
class DnsIs(Selector):
    """A DNS SAN matches, case ignored."""

    pattern: HostPattern

    def solutions(self, caller: Caller) -> Solutions:
        """One solution for every DNS SAN that matches."""
        if caller.facts is None:
            return UNSATISFIED
        if caller.facts.dns is None:
            return UNDECIDED
        return _solutions(self.pattern.bound(dns_name(name)) for name in caller.facts.dns)

    @property
    def may_bind(self) -> frozenset[str]:
        """The capture of the pattern."""
        return frozenset({self.pattern.capture}) if self.pattern.capture else NO_NAMES


@dataclass(frozen=True, slots=True)
class EmailIs(Selector):
    """An email SAN is `address` (lower case); `*@domain` stands for any local part."""

    address: str

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if an email SAN matches, case ignored."""
        if caller.facts is None:
            return UNSATISFIED
        if caller.facts.email is None:
            return UNDECIDED
        return SATISFIED if any(self._matches(email.lower()) for email in caller.facts.email) else UNSATISFIED

    def _matches(self, email: str) -> bool:
        if not self.address.startswith("*@"):
            return email == self.address
        local, at, domain = email.partition("@")
        return bool(local and at) and domain == self.address[2:]


@dataclass(frozen=True, slots=True)
class IpSanIn(Selector):
    """An IP SAN lies in one of these networks."""

    networks: tuple[Network, ...]

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if an IP SAN lies in a network of its own family."""
        if caller.facts is None:
            return UNSATISFIED
        if caller.facts.ip is None:
            return UNDECIDED
        addresses = [getattr(address, "ipv4_mapped", None) or address for address in caller.facts.ip]
        found = any(address in network for address in addresses for network in self.networks)
        return SATISFIED if found else UNSATISFIED


@dataclass(frozen=True, slots=True)
class NameIs(Selector):
    """The whole subject or issuer of the leaf equals `name` (RFC 5280 §7.1), all RDNs in order."""

    of_issuer: bool
    name: DistinguishedName

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if the names match."""
        if caller.facts is None:
            return UNSATISFIED
        name = caller.facts.issuer if self.of_issuer else caller.facts.subject
        if name is None:
            return UNDECIDED
        return SATISFIED if name.rdns == self.name.rdns else UNSATISFIED


@dataclass(frozen=True, slots=True)
class NameHas(Selector):
    """The subject or issuer of the leaf has an attribute `oid` with one of these prepared values (RFC 5280 §7.1)."""

    of_issuer: bool
    oid: str
    values: frozenset[str]

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if some RDN carries such an attribute."""
        if caller.facts is None:
            return UNSATISFIED
        name = caller.facts.issuer if self.of_issuer else caller.facts.subject
        if name is None:
            return UNDECIDED
        found = any(oid == self.oid and value in self.values for rdn in name.rdns for oid, value in rdn)
        return SATISFIED if found else UNSATISFIED


@dataclass(frozen=True, slots=True)
class DigestIn(Selector):
    """The SHA-256 of the leaf's SPKI (`pins`) or of the leaf itself (`fingerprint`) is one of these."""

    of_spki: bool
    digests: frozenset[bytes]

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if the digest is listed."""
        if caller.facts is None:
            return UNSATISFIED
        digest = caller.facts.spki_sha256 if self.of_spki else caller.facts.cert_sha256
        if digest is None:
            return UNDECIDED
        twins = () if self.of_spki else caller.facts.twin_sha256
        if digest in self.digests or not self.digests.isdisjoint(twins or ()):
            return SATISFIED
        return UNDECIDED if twins is None else UNSATISFIED


@dataclass(frozen=True, slots=True)
class SerialIn(Selector):
    """The leaf's serial number is one of these."""

    serials: frozenset[int]

    def solutions(self, caller: Caller) -> Solutions:
        """TRUE if the serial number is listed."""
        if caller.facts is None:
            return UNSATISFIED
        if caller.facts.serial is None:
            return UNDECIDED
        return SATISFIED if caller.facts.serial in self.serials else UNSATISFIED


@dataclass(frozen=True, slots=True)
class AllOf(Selector):
    """Every part holds, with one value for every name."""

    parts: tuple[Selector, ...]

    def solutions(self, caller: Caller) -> Solutions:
        """The parts' solutions joined; false AND unknown is false."""
        found = SATISFIED
        for part in self.parts:
            found = joined(found, part.solutions(caller))
            if not found:
                return UNSATISFIED
        return found

    def admits_unauthenticated(self) -> bool:
        """If one part does and the others hold too."""
        if not any(part.admits_unauthenticated() for part in self.parts):
            return False
        return truth_of(self.solutions(Caller(None, frozenset()))) == TRUE

    @property
    def may_bind(self) -> frozenset[str]:
        """What any part may bind."""
        return NO_NAMES.union(*(part.may_bind for part in self.parts))

    @property
    def must_bind(self) -> frozenset[str]:
        """What any part must bind."""
        return NO_NAMES.union(*(part.must_bind for part in self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf(Selector):
    """At least one part holds; true OR unknown is true."""

    parts: tuple[Selector, ...]

    def solutions(self, caller: Caller) -> Solutions:
        """The solutions of all parts."""
        if len(self.parts) == 1:
            return self.parts[0].solutions(caller)
        found: dict[tuple[Truth, frozenset[tuple[str, str]]], Bindings] = {}
        for part in self.parts:
            for truth, bindings in part.solutions(caller):
                found.setdefault((truth, frozenset(bindings.items())), bindings)
        if len(found) > MAX_JOINED_PAIRS:
            return UNDECIDED
        return tuple((truth, bindings) for (truth, _), bindings in found.items())

    def admits_unauthenticated(self) -> bool:
        """If one alternative does."""
        return any(part.admits_unauthenticated() for part in self.parts)

    @property
    def may_bind(self) -> frozenset[str]:
        """What some alternative may bind."""
        return NO_NAMES.union(*(part.may_bind for part in self.parts))

    @property
    def must_bind(self) -> frozenset[str]:
        """What all alternatives must bind."""
        if not self.parts:
            return NO_NAMES
        first, *others = (part.must_bind for part in self.parts)
        return first.intersection(*others)


@dataclass(frozen=True, slots=True)
class Not(Selector):
    """The part does not hold; not unknown is unknown. Binds nothing."""

    part: Selector

    def solutions(self, caller: Caller) -> Solutions:
        """The opposite truth."""
        truth = truth_of(self.part.solutions(caller))
        if truth == TRUE:
            return UNSATISFIED
        return UNDECIDED if truth == UNKNOWN else SATISFIED


@dataclass(frozen=True, slots=True)
class Reference(Selector):
    """A named identity; judged once for a caller, however often it is mentioned."""

    name: str
    target: Selector
    _may_bind: frozenset[str]
    _must_bind: frozenset[str]
    _admits_unauthenticated: bool

    @classmethod
    def to(cls, name: str, target: Selector) -> "Reference":
        """A reference that remembers what is asked of its target, so that deep nesting stays cheap."""
        return cls(name, target, target.may_bind, target.must_bind, target.admits_unauthenticated())

    def solutions(self, caller: Caller) -> Solutions:
        """The named selector's solutions."""
        found = caller.memo.get(self.name)
        if found is None:
            found = caller.memo[self.name] = self.target.solutions(caller)
        return found

    def admits_unauthenticated(self) -> bool:
        """If the named selector does."""
        return self._admits_unauthenticated

    @property
    def may_bind(self) -> frozenset[str]:
        """What the named selector may bind."""
        return self._may_bind

    @property
    def must_bind(self) -> frozenset[str]:
        """What the named selector must bind."""
        return self._must_bind


def dns_name(san: str) -> str:
    """A DNS SAN as patterns know it: lower case, without the dot at the end."""
    return san.lower().removesuffix(".")


def _solutions(matches: Iterable[Bindings | None]) -> Solutions:
    found: list[tuple[int, Bindings]] = []
    for bindings in matches:
        if bindings == NO_BINDINGS:
            return SATISFIED
        if bindings is not None and (TRUE, bindings) not in found:
            found.append((TRUE, bindings))
    return tuple(found)
