"""The fields of compiled selectors in words, as a policy names and writes them."""

import base64
from collections.abc import Iterable

from policies.engine.selector import (
    DigestIn,
    DnsIs,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Selector,
    SerialIn,
    TrustIs,
    UriIs,
)
from policies.peer.attribute import ATTRIBUTE_NAMES

#: Alternatives that are written out; the rest is counted.
_MAX_PARTS = 6


def field_text(selector: Selector) -> str:
    """One field of a selector, such as `uri spiffe://acme.internal/a`."""
    match selector:
        case TrustIs(entries):
            return f"trust {', '.join(sorted(entries))}"
        case UriIs(pattern):
            return f"uri {pattern}"
        case DnsIs(pattern_):
            return f"dns {pattern_}"
        case EmailIs(address):
            return f"email {address}"
        case IpSanIn(networks):
            return f"ip_san {in_words(', ', map(str, networks))}"
        case NameIs(of_issuer, name):
            return f"{'issuer' if of_issuer else 'subject'} {name.text}"
        case NameHas(of_issuer, oid, values):
            side = "issuer" if of_issuer else "subject"
            return f"{side} {ATTRIBUTE_NAMES.get(oid, oid)}={in_words('/', sorted(values))}"
        case DigestIn(True, digests):
            return f"pin {in_words(', ', (f'sha256:{base64.b64encode(d).decode()}' for d in sorted(digests)))}"
        case DigestIn(_, digests):
            return f"fingerprint {in_words(', ', (f'sha256:{digest.hex()}' for digest in sorted(digests)))}"
        case SerialIn(serials):
            return f"serial {in_words(', ', (f'{serial:x}' for serial in sorted(serials)))}"
    return type(selector).__name__


def in_words(glue: str, parts: Iterable[str]) -> str:
    """The first few parts, and how many more there are."""
    found = list(parts)
    rest = len(found) - _MAX_PARTS
    return glue.join(found if rest <= 0 else [*found[:_MAX_PARTS], f"{rest} more"])
