"""General names (RFC 5280 §4.2.1.6): the subject alternative names of a certificate, byte for byte."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from policies.peer import der
from policies.peer.limits import MAX_SANS

# GeneralName is a CHOICE by context-specific tag.
OTHER_NAME, EMAIL, DNS, X400, DIRECTORY, EDI, URI, IP, REGISTERED_ID = (
    0xA0,
    0x81,
    0x82,
    0xA3,
    0xA4,
    0xA5,
    0x86,
    0x87,
    0x88,
)
_KINDS = frozenset({OTHER_NAME, EMAIL, DNS, X400, DIRECTORY, EDI, URI, IP, REGISTERED_ID})
# An IA5String that cannot hide anything from a reader of logs or of C strings.
_VISIBLE = re.compile(rb"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class SubjectAltNames:
    """The SANs by type, in order. `directory`: DER names. `other`: tags of the types that nothing here reads."""

    uri: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    ip: tuple[IPv4Address | IPv6Address, ...] = ()
    directory: tuple[bytes, ...] = ()
    other: frozenset[int] = frozenset()


#: A certificate without the extension.
NO_SUBJECT_ALT_NAMES = SubjectAltNames()


def subject_alt_names_from_der(value: bytes) -> SubjectAltNames:
    """Read the value of a subjectAltName extension. Raises DerError; NUL, control and non-ASCII bytes are refused."""
    found = der.children(der.only(value, der.SEQUENCE), MAX_SANS)
    if not found:
        raise der.DerError("subjectAltName is empty")
    if any(item.tag not in _KINDS for item in found):
        raise der.DerError("subjectAltName holds an unknown type of name")
    return SubjectAltNames(
        uri=tuple(visible_text(item.value) for item in found if item.tag == URI),
        dns=tuple(visible_text(item.value) for item in found if item.tag == DNS),
        email=tuple(visible_text(item.value) for item in found if item.tag == EMAIL),
        ip=tuple(_address(item.value) for item in found if item.tag == IP),
        directory=tuple(item.value for item in found if item.tag == DIRECTORY),
        other=frozenset(item.tag for item in found if item.tag in (OTHER_NAME, X400, EDI, REGISTERED_ID)),
    )


def visible_text(value: bytes) -> str:
    """An IA5String of visible characters and blanks. Raises DerError."""
    if not _VISIBLE.fullmatch(value):
        raise der.DerError("a name is empty or holds a control or non-ASCII byte")
    return value.decode("ascii")


def _address(value: bytes) -> IPv4Address | IPv6Address:
    if len(value) == 4:
        return IPv4Address(value)
    if len(value) == 16:
        return IPv6Address(value)
    raise der.DerError("an iPAddress has neither 4 nor 16 bytes")
