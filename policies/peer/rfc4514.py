"""The string form of distinguished names, RFC 4514: attributes from text and text from attributes.

Stricter than many tools on purpose: no blanks around separators, no quoted values, `;` is no separator. `openssl x509
-nameopt RFC2253` and Envoy write exactly this form.
"""

import re
from collections.abc import Mapping, Sequence

from policies.peer.attribute import attribute_oid
from policies.peer.errors import DistinguishedNameError

#: (dotted OID, text, or the DER of a value that is no string).
Attribute = tuple[str, str | bytes]

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+")
_HEX_VALUE = re.compile(r"#(?:[0-9A-Fa-f]{2})+")
# §3: a pair is a backslash and a special character, or a backslash and two hex digits; these stand only in pairs.
_PART = re.compile(r'\\([ "#+,;<=>\\])|((?:\\[0-9A-Fa-f]{2})+)|([^"+,;<>\\\x00]+)')
_ESCAPED = re.compile(r'[",+;<>\\]')


def attributes_from_rfc4514(text: str) -> list[list[Attribute]]:
    """The RDNs of `text` in the order they are written. Raises DistinguishedNameError."""
    rdns: list[list[Attribute]] = []
    position = 0
    separator = "," if text else ""
    while separator:
        if separator == ",":
            rdns.append([])
        attribute, position = _attribute(text, position)
        rdns[-1].append(attribute)
        separator = text[position : position + 1]
        if separator not in ("", ",", "+"):
            raise DistinguishedNameError(f"unescaped {separator!r} at character {position + 1} of the name")
        position += 1
    return rdns


def rfc4514_from_attributes(rdns: Sequence[Sequence[Attribute]], names: Mapping[str, str]) -> str:
    """Text of RDNs that are given most significant first; `names` has the short name of an OID, others stay dotted."""
    return ",".join(
        "+".join(f"{names.get(oid, oid)}={_written(value)}" for oid, value in rdn) for rdn in reversed(rdns)
    )


def _attribute(text: str, position: int) -> tuple[Attribute, int]:
    kind, equals, _ = text[position:].partition("=")
    if not equals or not _TYPE.fullmatch(kind):
        raise DistinguishedNameError(
            f"no TYPE=value at character {position + 1} of the name; write it as RFC 4514, such as CN=x,O=Acme, "
            "most specific first, without blanks after the comma"
        )
    start = position + len(kind) + 1
    hexed = _HEX_VALUE.match(text, start)
    if hexed:
        return (attribute_oid(kind), bytes.fromhex(hexed[0][1:])), hexed.end()
    value, end = _string(text, start)
    return (attribute_oid(kind), value), end


def _string(text: str, start: int) -> tuple[str, int]:
    """The string value at `start` and where it ends."""
    pieces: list[bytes] = []
    position, first, last = start, "", ""
    while part := _PART.match(text, position):
        special, pairs, plain = part.groups()
        pieces.append(bytes.fromhex(pairs.replace("\\", "")) if pairs else _encoded(special or plain))
        first, last = first if pieces[1:] else plain or "", plain or ""
        position = part.end()
    if first.startswith((" ", "#")) or last.endswith(" "):
        raise DistinguishedNameError(f"an outer blank or leading '#' needs a backslash: {text[start:position][:40]!r}")
    try:
        return b"".join(pieces).decode(), position
    except UnicodeDecodeError as error:
        raise DistinguishedNameError("escaped bytes in the name are not UTF-8") from error


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DistinguishedNameError("the name holds a lone surrogate") from error


def _written(value: str | bytes) -> str:
    """A value as §2.4 writes it; what would not show on a console is written as escaped bytes."""
    if isinstance(value, bytes):
        return "#" + value.hex()
    text = _ESCAPED.sub(r"\\\g<0>", value)
    if text[:1] in ("#", " "):
        text = "\\" + text
    if text.endswith(" ") and text != "\\ ":
        text = text[:-1] + "\\ "
    return text if text.isprintable() else "".join(char if char.isprintable() else _hexed(char) for char in text)


def _hexed(char: str) -> str:
    return "".join(f"\\{octet:02X}" for octet in char.encode())
