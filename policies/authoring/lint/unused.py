"""Names that nothing mentions: left over, or misspelt where they should be used."""

from collections.abc import Iterable, Iterator

from policies.authoring.lint.finding import Finding, LintCode
from policies.authoring.lint.places import Places
from policies.language.document import SelectorDocument
from policies.language.node import Scalar

Part = Scalar | SelectorDocument
#: Callers that any trust entry may vouch for.
_BUILT_IN = frozenset({"authenticated", "unauthenticated", "anyone"})
_SPIFFE = "spiffe://"


def unused_findings(places: Places) -> Iterable[Finding]:
    """Identities, routes, zones and trust entries that no rule needs."""
    selectors = list(_selectors(places))
    rules = places.rules.values()
    mentioned = {part.text for part in selectors if isinstance(part, Scalar)}
    routes = {item.text for rule in rules for item in rule.to if isinstance(item, Scalar)}
    zones = {item.text for rule in rules for item in (*rule.from_, *rule.not_from)}
    for document in places.documents:
        for identity in document.identities:
            if identity.name.text not in mentioned:
                yield _unused(identity.name, LintCode.IDENTITY_UNUSED, "identity", "rule or identity")
        for route in document.routes:
            if route.name is not None and route.name.text not in routes:
                yield _unused(route.name, LintCode.ROUTE_UNUSED, "route", "rule")
        for zone in document.zones:
            if zone.name.text not in zones:
                yield _unused(zone.name, LintCode.ZONE_UNUSED, "zone", "rule")
    yield from _unused_trust(places, selectors)


def _unused(name: Scalar, code: LintCode, what: str, by: str) -> Finding:
    return Finding(name.at, code, f"no {by} mentions the {what} `{name.text}`", "use it, or take it out")


def _unused_trust(places: Places, selectors: list[Part]) -> Iterable[Finding]:
    """Entries of a policy that has several, if every selector says which it means."""
    entries = [entry for document in places.documents for entry in document.trust]
    documents = [part for part in selectors if isinstance(part, SelectorDocument)]
    built_in = any(isinstance(part, Scalar) and part.text in _BUILT_IN for part in selectors)
    if len(entries) < 2 or built_in or not all(map(_says_whom, documents)):
        return
    named = {name.text for part in documents for name in part.trust}
    domains = {uri.text.removeprefix(_SPIFFE).partition("/")[0] for part in documents for uri in part.uri}
    for entry in entries:
        domain = entry.spiffe_trust_domain
        if entry.name.text not in named and (domain is None or domain.text not in domains):
            message = f"no identity needs the trust entry `{entry.name.text}`"
            hint = "take it out: its certificates count as authenticated, but no rule is about them"
            yield Finding(entry.name.at, LintCode.TRUST_UNUSED, message, hint)


def _says_whom(part: SelectorDocument) -> bool:
    """Whether a selector is about certificates of entries that it names, or leaves that to its parts."""
    if part.not_ is not None:
        return False
    if part.trust or any(uri.text.startswith(_SPIFFE) for uri in part.uri):
        return True
    fields = (part.uri, part.dns, part.email, part.ip_san, part.subject, part.issuer)
    return not any((*fields, part.pins, part.fingerprint, part.serial))


def _selectors(places: Places) -> Iterator[Part]:
    for document in places.documents:
        for identity in document.identities:
            yield from _parts(identity.selector)
    for rule in places.rules.values():
        for item in (*(rule.allow or ()), *(rule.deny or ())):
            yield from _parts(item)


def _parts(item: Part) -> Iterator[Part]:
    """The item and everything inside of it."""
    yield item
    if isinstance(item, SelectorDocument):
        inner = (*(item.any or ()), *(item.all or ()), *(() if item.not_ is None else (item.not_,)))
        for part in inner:
            yield from _parts(part)
