"""What the extensions of a certificate say (RFC 5280 §4.2), from their bytes as they were signed.

Only the extensions that judge a peer are read. A known one that is malformed, or any that occurs twice, makes the
certificate malformed; an unknown critical one makes it untrusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.peer import der
from policies.peer.constraints import NameConstraints, name_constraints_from_der
from policies.peer.general_name import NO_SUBJECT_ALT_NAMES, SubjectAltNames, subject_alt_names_from_der
from policies.peer.limits import MAX_EXTENSION_ITEMS, MAX_EXTENSIONS

_SUBJECT_KEY_ID, _AUTHORITY_KEY_ID = "2.5.29.14", "2.5.29.35"
_KEY_USAGE, _EXTENDED_KEY_USAGE = "2.5.29.15", "2.5.29.37"
_SUBJECT_ALT_NAME, _BASIC_CONSTRAINTS, _NAME_CONSTRAINTS = "2.5.29.17", "2.5.29.19", "2.5.29.30"
# Read and, as no policy is asked for (user-initial-policy-set is any-policy), always satisfied: RFC 5280 §6.1.
_CERTIFICATE_POLICIES = "2.5.29.32"
_PROCESSED = frozenset(
    {
        _KEY_USAGE,
        _EXTENDED_KEY_USAGE,
        _SUBJECT_ALT_NAME,
        _BASIC_CONSTRAINTS,
        _NAME_CONSTRAINTS,
        _CERTIFICATE_POLICIES,
    }
)

# RFC 5280 §4.2.1.3, by bit.
_KEY_USAGE_BITS = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
# RFC 5280 §4.2.1.12; others stay dotted.
_PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "2.5.29.37.0": "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.1": "serverAuth",
        "1.3.6.1.5.5.7.3.2": "clientAuth",
        "1.3.6.1.5.5.7.3.3": "codeSigning",
        "1.3.6.1.5.5.7.3.4": "emailProtection",
        "1.3.6.1.5.5.7.3.8": "timeStamping",
        "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    }
)


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions that count. None = the extension is absent. `unknown_critical`: OIDs, dotted."""

    san: SubjectAltNames = NO_SUBJECT_ALT_NAMES
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[str] | None = None
    extended_key_usage: frozenset[str] | None = None
    name_constraints: NameConstraints | None = None
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    unknown_critical: tuple[str, ...] = ()


def extensions_from_der(data: bytes) -> Extensions:
    """Read the contents of the `extensions` field, SEQUENCE OF Extension. Raises DerError, DistinguishedNameError."""
    values: dict[str, bytes] = {}
    unknown: list[str] = []
    for item in der.children(der.only(data, der.SEQUENCE), MAX_EXTENSIONS):
        oid, critical, value = _extension(item)
        if oid in values:
            raise der.DerError(f"the extension {oid} occurs twice")
        values[oid] = value
        if critical and oid not in _PROCESSED:
            unknown.append(oid)
    is_ca, path_length = _basic_constraints(values.get(_BASIC_CONSTRAINTS))
    san = values.get(_SUBJECT_ALT_NAME)
    constraints = _name_constraints(values.get(_NAME_CONSTRAINTS))
    return Extensions(
        san=NO_SUBJECT_ALT_NAMES if san is None else subject_alt_names_from_der(san),
        is_ca=is_ca,
        path_length=path_length,
        key_usage=_key_usage(values.get(_KEY_USAGE)),
        extended_key_usage=_extended_key_usage(values.get(_EXTENDED_KEY_USAGE)),
        # They say nothing where there is no CA (§4.2.1.10), and are many times as large in memory as in DER.
        name_constraints=constraints if is_ca else None,
        subject_key_id=_subject_key_id(values.get(_SUBJECT_KEY_ID)),
        authority_key_id=_authority_key_id(values.get(_AUTHORITY_KEY_ID)),
        unknown_critical=tuple(unknown),
    )


def _extension(item: der.Tlv) -> tuple[str, bool, bytes]:
    fields = der.children(item.value, 3) if item.tag == der.SEQUENCE else ()
    tags = [part.tag for part in fields]
    if tags == [der.OID, der.OCTET_STRING]:
        return der.oid(fields[0].value), False, fields[1].value
    # DEFAULT FALSE is not encoded in DER, yet issuers that write it are common and it cannot be misread.
    if tags == [der.OID, der.BOOLEAN, der.OCTET_STRING]:
        return der.oid(fields[0].value), der.boolean(fields[1].value), fields[2].value
    raise der.DerError("an extension is malformed")


def _basic_constraints(value: bytes | None) -> tuple[bool, int | None]:
    if value is None:
        return False, None
    fields = list(der.children(der.only(value, der.SEQUENCE), 2))
    is_ca = bool(fields) and fields[0].tag == der.BOOLEAN and der.boolean(fields.pop(0).value)
    path_length = None
    if fields and fields[0].tag == der.INTEGER:
        path_length = der.integer(fields.pop(0).value)
    if fields or (path_length is not None and path_length < 0):
        raise der.DerError("basicConstraints is malformed")
    return is_ca, path_length


def _key_usage(value: bytes | None) -> frozenset[str] | None:
    if value is None:
        return None
    numbers = der.bits(der.only(value, der.BIT_STRING))
    return frozenset(name for bit, name in enumerate(_KEY_USAGE_BITS) if bit in numbers)


def _extended_key_usage(value: bytes | None) -> frozenset[str] | None:
    if value is None:
        return None
    found = der.children(der.only(value, der.SEQUENCE), MAX_EXTENSION_ITEMS)
    if not found or any(item.tag != der.OID for item in found):
        raise der.DerError("extKeyUsage is malformed")
    purposes = (der.oid(item.value) for item in found)
    return frozenset(_PURPOSES.get(purpose, purpose) for purpose in purposes)


def _name_constraints(value: bytes | None) -> NameConstraints | None:
    return None if value is None else name_constraints_from_der(value)


def _subject_key_id(value: bytes | None) -> bytes | None:
    return None if value is None else der.only(value, der.OCTET_STRING)


def _authority_key_id(value: bytes | None) -> bytes | None:
    """The keyIdentifier, [0]; issuer and serial number are only a second way to say it."""
    if value is None:
        return None
    found = der.children(der.only(value, der.SEQUENCE), 3)
    return next((item.value for item in found if item.tag == 0x80), None)
