"""Selectors and identities as tables: what of a certificate a policy can name."""

from typing import Any

from policies.language.document import IdentityDocument, NameDocument, SelectorDocument, Texts
from policies.language.names import Name
from policies.language.node import Node, Scalar
from policies.language.problem import Position
from policies.language.shape import Entries, Later, Made, Many, OneOrMany, Text, TextOr, pair
from policies.language.table import Field, Fields

NETWORK = Text("a network in CIDR form or an address", "10.20.0.0/16")
_TRUST_NAME = Name("the name of a trust entry", "mesh")
_WRITTEN_OUT = 'a selector is written out as a mapping, such as {uri: "spiffe://acme.internal/ns/prod/sa/billing"}'
IDENTITY_NAME = Name("the name of an identity", "billing", otherwise=_WRITTEN_OUT)


_NameValue = Scalar | tuple[tuple[Scalar, Texts], ...]


def _name_from_node(node: Node, value: _NameValue) -> NameDocument:
    return NameDocument(node.at, value, ()) if isinstance(value, Scalar) else NameDocument(node.at, None, value)


_DISTINGUISHED_NAME: Made[_NameValue, NameDocument] = Made(
    TextOr(
        Text("a distinguished name by RFC 4514", '"CN=break-glass,O=Acme"'),
        Entries(
            "a mapping of attribute types to values",
            Text("an attribute type such as CN or O", "CN"),
            OneOrMany(Text("an attribute value", "break-glass")),
            pair,
        ),
    ),
    _name_from_node,
)
_SELECTOR_EXAMPLE = '{uri: "spiffe://acme.internal/ns/prod/sa/billing"}'
_INNER = TextOr(IDENTITY_NAME, Later("a selector (a mapping)", _SELECTOR_EXAMPLE, lambda: SELECTOR))
_SELECTOR_FIELDS = (
    Field(
        "trust",
        OneOrMany(_TRUST_NAME),
        "Trust entries, one of which the certificate must pass. With more than one entry in the policy, a selector that"
        " tests dns, email, ip_san, subject, issuer, serial or a URI other than spiffe:// must name it.",
    ),
    Field(
        "uri",
        OneOrMany(Text("a URI pattern", '"spiffe://acme.internal/ns/prod/sa/*"')),
        "URI SANs. * is one whole path segment, ** the rest (at the end only), {name} one segment that is bound.",
    ),
    Field(
        "dns",
        OneOrMany(Text("a DNS name or pattern", '"*.partner.example"')),
        "DNS SANs, case-insensitive. A leading *. or {name}. is one label.",
    ),
    Field(
        "email",
        OneOrMany(Text("an email address or *@domain", '"*@ops.acme.example"')),
        "Email SANs, case-insensitive. *@domain is any local part.",
    ),
    Field("ip_san", OneOrMany(NETWORK), "Networks of an IP address SAN in the certificate, not of the connection."),
    Field(
        "subject",
        _DISTINGUISHED_NAME,
        "The subject: a mapping of attributes (each present, with one of the values listed), or the whole name as an"
        " RFC 4514 text. Compared by RFC 5280 section 7.1.",
    ),
    Field("issuer", _DISTINGUISHED_NAME, "The issuer of the leaf, written like the subject."),
    Field(
        "pins",
        OneOrMany(Text("a public key pin", '"sha256:ZLBiI5QGmOKkRYTkVAKSJ1mBKRpmLTRUCsdqg6DXW+8="')),
        "Public keys: sha256: and the base64 SHA-256 of the leaf's SubjectPublicKeyInfo.",
    ),
    Field(
        "fingerprint",
        OneOrMany(
            Text(
                "a certificate fingerprint",
                '"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
            )
        ),
        "Certificates: sha256: and the SHA-256 of the leaf in hex.",
    ),
    Field(
        "serial",
        OneOrMany(Text("a serial number in hex", '"4a:0f:19"')),
        "Serial numbers in hex; case, colons and leading zeros do not count.",
    ),
    Field("any", Many(_INNER), "Names or selectors, at least one of which must match."),
    Field("all", Many(_INNER), "Names or selectors that must all match."),
    Field("not", _INNER, "A name or selector that must not match."),
)
_SELECTOR_HINTS = {
    "ip": "`ip_san` tests an address in the certificate; for the address of the connection put `from` into a rule",
    "from": "`from` belongs to a rule; `ip_san` tests an address in the certificate",
    "source_ip": "for the address of the connection put `from` into a rule",
    "spiffe": "a SPIFFE ID is written `uri:`",
    "spiffe_id": "a SPIFFE ID is written `uri:`",
    "san": "write `uri`, `dns`, `email` or `ip_san`",
    "cn": "write `subject: {CN: …}`",
    "CN": "write `subject: {CN: …}`",
    "ca": "`trust` names a trust entry, `issuer` the issuer's distinguished name",
    "spki": "write `pins: [sha256:…]`",
    "or": "write `any: […]`",
    "and": "write `all: […]`, or the fields side by side",
    "sni": "`sni` belongs to `when` in a rule",
}

SELECTOR: Fields[SelectorDocument] = Fields(
    "selector", "a selector", _SELECTOR_EXAMPLE, _SELECTOR_FIELDS, SelectorDocument, _SELECTOR_HINTS
)


def _identity(name: Scalar, at: Position, **values: Any) -> IdentityDocument:
    return IdentityDocument(name, SelectorDocument(at=at, **values))


IDENTITY: Fields[IdentityDocument] = Fields(
    "identity", "an identity", _SELECTOR_EXAMPLE, _SELECTOR_FIELDS, _identity, _SELECTOR_HINTS
)
