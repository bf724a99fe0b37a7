"""Distinguished names: RFC 4514 text or DER in, RFC 5280 §7.1 comparison.

Law: two names are equal when their attributes are, RDN by RDN; joined strings are never compared, so `CN="a,O=b"` and
`CN=a,O=b` stay apart. `DistinguishedName.parse(name.text) == name` for every name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509

from policies.peer import der
from policies.peer.attribute import ATTRIBUTE_NAMES
from policies.peer.errors import DistinguishedNameError
from policies.peer.foreign import survivable, words
from policies.peer.limits import MAX_NAME_ATTRIBUTES, MAX_NAME_CHARS
from policies.peer.preparation import prepared
from policies.peer.rfc4514 import Attribute, attributes_from_rfc4514, rfc4514_from_attributes

# DirectoryString and its kin (RFC 5280 §4.1.2.4, X.520): tag -> codec. TeletexString is read as Latin-1, as OpenSSL
# does.
_STRING_CODECS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}
# Marks a value that is no string; a prepared string never holds NUL, so the two cannot meet.
_BINARY = "\x00"


@dataclass(frozen=True, slots=True)
class DistinguishedName:
    """A name, equal to another when RFC 5280 §7.1 says so.

    `rdns`: most significant first (as in DER); each RDN a frozenset of (attribute OID dotted, prepared value), see
    `preparation.prepared`. `text`: RFC 4514 string for people (log, console); it does not take part in comparison.
    """

    rdns: tuple[frozenset[tuple[str, str]], ...]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name that an RFC 4514 string is. Raises DistinguishedNameError."""
        if len(text) > MAX_NAME_CHARS:
            raise DistinguishedNameError(f"the name has more than {MAX_NAME_CHARS} characters")
        rdns = [[_settled(*attribute) for attribute in rdn] for rdn in attributes_from_rfc4514(text)]
        return cls._from_attributes(rdns[::-1])

    @classmethod
    def from_der(cls, data: bytes) -> Self:
        """The name that a DER `Name` is (RFC 5280 §4.1.2.4). Raises DistinguishedNameError."""
        try:
            sets = der.children(der.only(data, der.SEQUENCE), MAX_NAME_ATTRIBUTES)
            return cls._from_attributes([_rdn(item) for item in sets])
        except der.DerError as error:
            raise DistinguishedNameError(f"not a readable name: {error}") from error

    @classmethod
    def from_x509(cls, name: x509.Name) -> Self:
        """The name that cryptography read or built. Raises DistinguishedNameError."""
        try:
            data = name.public_bytes()
        except BaseException as error:
            if not survivable(error):
                raise
            raise DistinguishedNameError(f"not a readable name: {words(error)}") from error
        return cls.from_der(data)

    @classmethod
    def _from_attributes(cls, rdns: Sequence[Sequence[Attribute]]) -> Self:
        if sum(map(len, rdns)) > MAX_NAME_ATTRIBUTES:
            raise DistinguishedNameError(f"the name has more than {MAX_NAME_ATTRIBUTES} attributes")
        comparable = tuple(map(_comparable, rdns))
        text = rfc4514_from_attributes(rdns, ATTRIBUTE_NAMES)
        if len(text) > MAX_NAME_CHARS:
            raise DistinguishedNameError(f"the name has more than {MAX_NAME_CHARS} characters")
        return cls(comparable, text)

    def values(self, oid: str) -> frozenset[str]:
        """All values of one attribute (dotted OID), wherever in the name, prepared for comparison."""
        return frozenset(value for rdn in self.rdns for attribute, value in rdn if attribute == oid)

    def __str__(self) -> str:
        """The RFC 4514 string."""
        return self.text


def _comparable(rdn: Sequence[Attribute]) -> frozenset[tuple[str, str]]:
    pairs = frozenset((oid, prepared(value) if isinstance(value, str) else _BINARY + value.hex()) for oid, value in rdn)
    if not rdn or len(pairs) != len(rdn):
        raise DistinguishedNameError("an RDN is empty or holds one attribute twice")
    return pairs


def _rdn(item: der.Tlv) -> list[Attribute]:
    if item.tag != der.SET:
        raise der.DerError("an RDN is not a SET")
    return [_attribute(part) for part in der.children(item.value, MAX_NAME_ATTRIBUTES)]


def _attribute(part: der.Tlv) -> Attribute:
    fields = der.children(part.value, 2) if part.tag == der.SEQUENCE else ()
    if len(fields) != 2 or fields[0].tag != der.OID:
        raise der.DerError("an attribute is not a type and a value")
    return der.oid(fields[0].value), _text(fields[1])


def _settled(oid: str, value: str | bytes) -> Attribute:
    """`value` as text where it is the DER of a string, else as it is."""
    if isinstance(value, str):
        return oid, value
    try:
        (element,) = der.children(value, 1)
    except ValueError as error:
        raise DistinguishedNameError("an attribute value is not one DER element") from error
    return oid, _text(element)


def _text(value: der.Tlv) -> str | bytes:
    """The value as text where it is the DER of a string, else as it is."""
    codec = _STRING_CODECS.get(value.tag)
    if codec is None:
        return value.raw
    try:
        return value.value.decode(codec)
    except UnicodeDecodeError as error:
        raise DistinguishedNameError("a name holds text that is wrongly encoded") from error
