"""Finds rows by how the names begin that they ask of a certificate."""

from collections.abc import Hashable

from policies.authoring.lint.implication import resolved
from policies.authoring.matrix.prefix_index import Prefix, PrefixIndex
from policies.engine.pattern import SegmentPattern
from policies.engine.selector import (
    AllOf,
    AnyOf,
    DigestIn,
    DnsIs,
    EmailIs,
    IpSanIn,
    NameHas,
    NameIs,
    Selector,
    SerialIn,
    UriIs,
)


class NamedRows:
    """Rows filed under the keys of their names.

    `chosen`: keys of which whatever lies within a selector continues one.
    """

    def __init__(self) -> None:
        self._all: PrefixIndex[int] = PrefixIndex()
        self._chosen: PrefixIndex[int] = PrefixIndex()

    def file(self, row: int, selector: Selector, chosen: frozenset[Prefix]) -> None:
        """File `row`, which is `selector`."""
        for key in chosen:
            self._chosen.file(key, row)
        for key in all_keys(selector):
            self._all.file(key, row)

    def near(self, selector: Selector, chosen: frozenset[Prefix]) -> set[int]:
        """The rows that may lie within `selector`, and those that it may lie within."""
        found: set[int] = set()
        for key in chosen:
            found.update(self._all.continuing(key))
        for key in all_keys(selector):
            found.update(self._chosen.continuing(key))
            found.update(self._chosen.beginning(key))
        return found


def all_keys(selector: Selector) -> frozenset[Prefix]:
    """The keys of every part."""
    match resolved(selector):
        case AllOf(parts) | AnyOf(parts):
            return frozenset[Prefix]().union(*map(all_keys, parts))
        case field:
            return field_keys(field)


def field_keys(field: Selector) -> frozenset[Prefix]:
    """The keys of one field; none if it is a combination, or no name."""
    match field:
        case UriIs(pattern):
            return frozenset({("uri", *_leading(pattern))})
        case DnsIs(host):
            return frozenset({("dns", *reversed(host.suffix.split(".")))})
        case EmailIs(address):
            local, _, domain = address.partition("@")
            return frozenset({("email", domain) if local == "*" else ("email", domain, local)})
        case IpSanIn(networks):
            return frozenset({("ip", networks)})
        case SerialIn(serials):
            return frozenset(("serial", serial) for serial in serials)
        case DigestIn(of_spki, digests):
            return frozenset(("digest", of_spki, digest) for digest in digests)
        case NameIs(of_issuer, name):
            return frozenset({("name", of_issuer, name.rdns)})
        case NameHas(of_issuer, oid, values):
            return frozenset(("attribute", of_issuer, oid, value) for value in values)
    return frozenset()


def _leading(pattern: SegmentPattern) -> tuple[Hashable, ...]:
    size = next((at for at, part in enumerate(pattern.segments) if not isinstance(part, str)), len(pattern.segments))
    return pattern.segments[:size]
