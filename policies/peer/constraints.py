"""Name constraints of a CA (RFC 5280 §4.2.1.10): which names may occur below it.

Law: a name of a constrained type that cannot be matched (no host in a URI, a type that nothing here reads) is a
violation.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from policies.peer import der, general_name
from policies.peer.general_name import SubjectAltNames, visible_text
from policies.peer.limits import MAX_EXTENSION_ITEMS
from policies.peer.name import DistinguishedName

_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
# RFC 3986 §3.2: the host of a URI that has an authority.
_URI_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@\\]*@)?([^/?#@:\[\]]+)(?::[0-9]*)?(?:[/?#].*)?")
# A host or domain as every reader takes it, prepared by `_domain`: with `%`, a backslash or an empty label some read
# another one.
_HOST = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class AddressRange:
    """An iPAddress constraint: those addresses of one version whose bits under `mask` are those of `base`."""

    version: int
    base: int
    mask: int


class Mailbox(NamedTuple):
    """An address: all of it, as mailboxes are compared, and its host, as domains are."""

    address: str
    host: str


#: What one subtree is rooted at; None = a type of name that nothing here reads.
Base = str | AddressRange | DistinguishedName | None


class Name(NamedTuple):
    """A name as constraints see it: its GeneralName tag, what people are shown and what is compared.

    `value` None: it cannot be matched.
    """

    kind: int
    shown: object
    value: str | Mailbox | IPv4Address | IPv6Address | DistinguishedName | None


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """The bases of the subtrees by GeneralName tag."""

    permitted: Mapping[int, tuple[Base, ...]]
    excluded: Mapping[int, tuple[Base, ...]]

    def comparisons(self, names: Iterable[Name]) -> int:
        """How many pairs of name and base `violation` may have to compare."""
        return sum(len(self.permitted.get(name.kind, ())) + len(self.excluded.get(name.kind, ())) for name in names)

    def violation(self, names: Iterable[Name]) -> str:
        """The first name that is not permitted or is excluded, in words; empty if all are fine."""
        for kind, shown, value in names:
            permitted, excluded = self.permitted.get(kind, ()), self.excluded.get(kind, ())
            if not permitted and not excluded:
                continue
            if value is None:
                return f"the name {shown} cannot be held against a name constraint of its type"
            if permitted and not any(_within(kind, base, value) for base in permitted):
                return f"the name {shown} is not permitted by a name constraint"
            if any(_within(kind, base, value) for base in excluded):
                return f"the name {shown} is excluded by a name constraint"
        return ""


def names_of(subject: DistinguishedName, san: SubjectAltNames) -> tuple[Name, ...]:
    """What constraints are held against. Raises DistinguishedNameError for a directoryName SAN that is unreadable."""
    return tuple(_names(subject, san))


def name_constraints_from_der(value: bytes) -> NameConstraints:
    """Read the value of a nameConstraints extension. Raises DerError, DistinguishedNameError."""
    fields = der.children(der.only(value, der.SEQUENCE), 2)
    if [item.tag for item in fields] not in ([0xA0], [0xA1], [0xA0, 0xA1]):
        raise der.DerError("nameConstraints is malformed")
    found = {item.tag: _by_kind(map(_subtree, der.children(item.value, MAX_EXTENSION_ITEMS))) for item in fields}
    return NameConstraints(found.get(0xA0, {}), found.get(0xA1, {}))


def _by_kind(subtrees: Iterable[tuple[int, Base]]) -> Mapping[int, tuple[Base, ...]]:
    found: defaultdict[int, list[Base]] = defaultdict(list)
    for kind, base in subtrees:
        found[kind].append(base)
    return {kind: tuple(bases) for kind, bases in found.items()}


def _subtree(item: der.Tlv) -> tuple[int, Base]:
    fields = der.children(item.value, 3) if item.tag == der.SEQUENCE else ()
    # "minimum MUST be zero, and maximum MUST be absent", and DER does not encode a zero that is the default.
    if len(fields) != 1:
        raise der.DerError("a name constraint is malformed or uses minimum or maximum")
    base = fields[0]
    match base.tag:
        case general_name.URI | general_name.DNS | general_name.EMAIL:
            return base.tag, _domain_base(visible_text(base.value), base.tag) if base.value else ""
        case general_name.IP:
            return base.tag, _address_range(base.value)
        case general_name.DIRECTORY:
            return base.tag, DistinguishedName.from_der(base.value)
        case _:
            return base.tag, None


def _domain_base(text: str, kind: int) -> str:
    """A host, or with a leading dot those below it; for e-mail also a mailbox.

    Anything else, such as a URL, would match no name, so that what it excludes would be let in.
    """
    local, at, host = text.rpartition("@")
    domain = _domain(host)
    if (at and not (local and kind == general_name.EMAIL)) or not _HOST.fullmatch(domain.removeprefix("." * (not at))):
        raise der.DerError(f"a name constraint has the base {text!r}, which is no host or domain")
    return local + at + domain


def _address_range(value: bytes) -> AddressRange:
    half = len(value) // 2
    if len(value) not in (8, 32):
        raise der.DerError("an iPAddress constraint has neither 8 nor 32 bytes")
    mask = int.from_bytes(value[half:], "big")
    inverse = mask ^ ((1 << 8 * half) - 1)
    if inverse & (inverse + 1):
        raise der.DerError("the mask of an iPAddress constraint has holes")
    return AddressRange(4 if half == 4 else 6, int.from_bytes(value[:half], "big") & mask, mask)


def _names(subject: DistinguishedName, san: SubjectAltNames) -> Iterator[Name]:
    if subject.rdns:
        yield Name(general_name.DIRECTORY, subject, subject)
    for data in san.directory:
        name = DistinguishedName.from_der(data)
        yield Name(general_name.DIRECTORY, name, name)
    yield from (Name(general_name.URI, uri, _host(uri)) for uri in san.uri)
    yield from (Name(general_name.DNS, dns, _named_host(dns)) for dns in san.dns)
    yield from (Name(general_name.IP, address, reading) for address in san.ip for reading in _readings(address))
    # §4.2.1.10: without an rfc822Name the constraint applies to the emailAddress attributes of the subject.
    for email in san.email or sorted(subject.values(_EMAIL_ADDRESS)):
        yield Name(general_name.EMAIL, email, _mailbox(email))
    yield from (Name(tag, None, None) for tag in sorted(san.other))


def _within(kind: int, base: Base, value: object) -> bool:
    """Whether `value` lies in the subtree at `base`; both are of the type `kind`."""
    match base, value:
        case str(), str():
            return _in_domain(base, value, subdomains=kind == general_name.DNS)
        case str(), Mailbox():
            return value.address == base if "@" in base else _in_domain(base, value.host)
        case AddressRange(), IPv4Address() | IPv6Address():
            return value.version == base.version and int(value) & base.mask == base.base
        case DistinguishedName(), DistinguishedName():
            return value.rdns[: len(base.rdns)] == base.rdns
        case _:
            return False


def _in_domain(base: str, host: str, *, subdomains: bool = False) -> bool:
    """Whether `host` is `base`, or below it where `base` starts with a dot or `subdomains` says so.

    A base of no length is not specified; it matches everything, as in NSS and Go.
    """
    if base in ("", host):
        return True
    if base.startswith("."):
        return host.endswith(base)
    return subdomains and host.endswith(f".{base}")


def _readings(address: IPv4Address | IPv6Address) -> tuple[IPv4Address | IPv6Address, ...]:
    """An IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2) counts as both: selectors take it for the first."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (address,) if mapped is None else (address, mapped)


def _domain(name: str) -> str:
    return name.lower().removesuffix(".")


def _named_host(name: str) -> str | None:
    """None for what is no host name."""
    host = _domain(name)
    return host if _HOST.fullmatch(host) else None


def _mailbox(address: str) -> Mailbox | None:
    """None without exactly one at sign, or where no host name follows it."""
    local, _, name = address.partition("@")
    host = _named_host(name)
    return None if host is None else Mailbox(f"{local}@{host}", host)


def _host(uri: str) -> str | None:
    """The host name of a URI; None if it has none or it is an IP address, which §4.2.1.10 tells to reject."""
    found = _URI_HOST.fullmatch(uri)
    if not found:
        return None
    try:
        ip_address(found[1])
    except ValueError:
        return _named_host(found[1])
    return None
