"""Attribute types of distinguished names: short names (RFC 4514 §3, RFC 4519, X.520) and their object identifiers."""

import re
from collections.abc import Mapping

from policies.peer.errors import DistinguishedNameError
from policies.peer.limits import MAX_OID_BYTES

_NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("2.5.4.3", ("CN", "commonName")),
    ("2.5.4.4", ("SN", "surname")),
    ("2.5.4.5", ("serialNumber",)),
    ("2.5.4.6", ("C", "countryName")),
    ("2.5.4.7", ("L", "localityName")),
    ("2.5.4.8", ("ST", "stateOrProvinceName")),
    ("2.5.4.9", ("STREET", "streetAddress")),
    ("2.5.4.10", ("O", "organizationName")),
    ("2.5.4.11", ("OU", "organizationalUnitName")),
    ("2.5.4.12", ("title",)),
    ("2.5.4.15", ("businessCategory",)),
    ("2.5.4.17", ("postalCode",)),
    ("2.5.4.41", ("name",)),
    ("2.5.4.42", ("GN", "givenName")),
    ("2.5.4.43", ("initials",)),
    ("2.5.4.44", ("generationQualifier",)),
    ("2.5.4.46", ("dnQualifier",)),
    ("2.5.4.65", ("pseudonym",)),
    ("2.5.4.97", ("organizationIdentifier",)),
    ("0.9.2342.19200300.100.1.1", ("UID", "userId")),
    ("0.9.2342.19200300.100.1.25", ("DC", "domainComponent")),
    ("1.2.840.113549.1.9.1", ("emailAddress",)),
)

#: Every short name, as people write it -> dotted object identifier.
ATTRIBUTE_OIDS: Mapping[str, str] = {name: oid for oid, names in _NAMES for name in names}
#: Dotted object identifier -> the short name that we write.
ATTRIBUTE_NAMES: Mapping[str, str] = {oid: names[0] for oid, names in _NAMES}

_BY_LOWER_NAME = {name.lower(): oid for name, oid in ATTRIBUTE_OIDS.items()}
_DOTTED = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")


def attribute_oid(name: str) -> str:
    """The object identifier of a short name (case does not count, RFC 4514 §2.3) or of dotted text.

    Raises DistinguishedNameError for an unknown name.
    """
    oid = _BY_LOWER_NAME.get(name.lower())
    if oid is not None:
        return oid
    if _DOTTED.fullmatch(name) and len(name) <= 4 * MAX_OID_BYTES:
        return name
    raise DistinguishedNameError(
        f"{name[:40]!r} is no attribute of a name; write one of {', '.join(ATTRIBUTE_NAMES.values())}"
    )
