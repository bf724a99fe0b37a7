"""Name constraints of a CA (RFC 5280 §4.2.1.10): which names may occur below it.

Law: a name of a constrained type that cannot be matched (no host in a URI, a type that nothing here reads) is a
violation.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from policies.peer import der, general_name
from policies.peer.general_name import SubjectAltNames, visible_text
from policies.peer.limits import MAX_EXTENSION_ITEMS
from policies.peer.name import DistinguishedName

_EMAIL_ADDRESS = "1.2.840.113549.1.9.1"
# RFC 3986 §3.2: the host of a URI that has an authority.
_URI_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#@:\[\]]+)(?::[0-9]*)?(?:[/?#].*)?")


@dataclass(frozen=True, slots=True)
class AddressRange:
    """An iPAddress constraint: those addresses of one version whose bits under `mask` are those of `base`."""

    version: int
    base: int
    mask: int


#: What one subtree is rooted at; None = a type of name that nothing here reads.
Base = str | AddressRange | DistinguishedName | None
#: A name as constraints see it: its GeneralName tag and value.
Name = tuple[int, str | IPv4Address | IPv6Address | DistinguishedName | None]


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Subtrees as (GeneralName tag, base)."""

    permitted: tuple[tuple[int, Base], ...]
    excluded: tuple[tuple[int, Base], ...]

    def violation(self, subject: DistinguishedName, san: SubjectAltNames) -> str:
        """The first name that is not permitted or is excluded, in words; empty if all are fine.

        Raises DistinguishedNameError for a directoryName SAN that cannot be read.
        """
        for kind, name in _names(subject, san):
            permitted = [base for tag, base in self.permitted if tag == kind]
            excluded = [base for tag, base in self.excluded if tag == kind]
            if not permitted and not excluded:
                continue
            if not _matchable(kind, name):
                return f"the name {name} cannot be held against a name constraint of its type"
            if permitted and not any(_within(kind, base, name) for base in permitted):
                return f"the name {name} is not permitted by a name constraint"
            if any(_within(kind, base, name) for base in excluded):
                return f"the name {name} is excluded by a name constraint"
        return ""


def name_constraints_from_der(value: bytes) -> NameConstraints:
    """Read the value of a nameConstraints extension. Raises DerError, DistinguishedNameError."""
    fields = der.children(der.only(value, der.SEQUENCE), 2)
    if [item.tag for item in fields] not in ([0xA0], [0xA1], [0xA0, 0xA1]):
        raise der.DerError("nameConstraints is malformed")
    found = {item.tag: tuple(map(_subtree, der.children(item.value, MAX_EXTENSION_ITEMS))) for item in fields}
    return NameConstraints(found.get(0xA0, ()), found.get(0xA1, ()))


def _subtree(item: der.Tlv) -> tuple[int, Base]:
    fields = der.children(item.value, 3) if item.tag == der.SEQUENCE else ()
    # "minimum MUST be zero, and maximum MUST be absent", and DER does not encode a zero that is the default.
    if len(fields) != 1:
        raise der.DerError("a name constraint is malformed or uses minimum or maximum")
    base = fields[0]
    match base.tag:
        case general_name.URI | general_name.DNS | general_name.EMAIL:
            return base.tag, visible_text(base.value) if base.value else ""
        case general_name.IP:
            return base.tag, _address_range(base.value)
        case general_name.DIRECTORY:
            return base.tag, DistinguishedName.from_der(base.value)
        case _:
            return base.tag, None


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
        yield general_name.DIRECTORY, subject
    yield from ((general_name.DIRECTORY, DistinguishedName.from_der(data)) for data in san.directory)
    yield from ((general_name.URI, uri) for uri in san.uri)
    yield from ((general_name.DNS, dns) for dns in san.dns)
    yield from ((general_name.IP, address) for address in san.ip)
    # §4.2.1.10: without an rfc822Name the constraint applies to the emailAddress attributes of the subject.
    yield from ((general_name.EMAIL, email) for email in san.email or sorted(subject.values(_EMAIL_ADDRESS)))
    yield from ((tag, None) for tag in sorted(san.other))


def _matchable(kind: int, name: object) -> bool:
    match kind, name:
        case general_name.URI, str():
            return _host(name) != ""
        case general_name.EMAIL, str():
            return name.count("@") == 1
        case _:
            return name is not None


def _within(kind: int, base: Base, name: object) -> bool:
    """Whether `name` lies in the subtree at `base`; both are of the type `kind`."""
    match base, name:
        case AddressRange(), IPv4Address() | IPv6Address():
            return name.version == base.version and int(name) & base.mask == base.base
        case DistinguishedName(), DistinguishedName():
            return name.rdns[: len(base.rdns)] == base.rdns
        case str(), str() if kind == general_name.DNS:
            return _in_domain(base, name, subdomains=True)
        case str(), str() if kind == general_name.URI:
            return _in_domain(base, _host(name))
        case str(), str() if "@" in base:
            local, _, host = name.rpartition("@")
            return (local, host.lower()) == (base.rpartition("@")[0], base.rpartition("@")[2].lower())
        case str(), str():
            return _in_domain(base, name.rpartition("@")[2])
        case _:
            return False


def _in_domain(base: str, host: str, *, subdomains: bool = False) -> bool:
    """Whether `host` is `base`, or below it where `base` starts with a dot or `subdomains` says so.

    A base of no length is not specified; it matches everything, as in NSS and Go.
    """
    base, host = base.lower(), host.lower().removesuffix(".")
    if base in ("", host):
        return True
    if base.startswith("."):
        return host.endswith(base)
    return subdomains and host.endswith(f".{base}")


def _host(uri: str) -> str:
    """The host name of a URI; empty if it has none or it is an IP address, which §4.2.1.10 tells to reject."""
    found = _URI_HOST.fullmatch(uri)
    if not found:
        return ""
    try:
        ip_address(found[1])
    except ValueError:
        return found[1]
    return ""
