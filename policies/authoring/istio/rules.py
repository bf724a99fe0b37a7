"""One rule of an AuthorizationPolicy, as rules of peergate that match the same requests, or its problems."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from policies.authoring.istio.callers import Identities, Selector, selectors
from policies.authoring.istio.codes import ImportCode
from policies.authoring.istio.conditions import (
    UNSUPPORTED,
    Meaning,
    Network,
    common_networks,
    meaning_of_conditions,
    networks_from_texts,
)
from policies.authoring.istio.operations import Route, route_from_operation
from policies.authoring.istio.resource import AuthorizationPolicy, Fields, Rule, Texts
from policies.language.problem import Problem, Problems
from policies.language.wording import quoted

#: Two fields of a source, the same of conditions, and what makes names of identities of them.
_Reader = tuple[str, str, list[Texts], list[Texts], Callable[[Texts, Problems], tuple[str, ...]]]
#: Networks that a connection comes from, None for any, and those that it does not come from.
Origin = tuple[tuple[Network, ...] | None, tuple[Network, ...]]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a rule means: callers by where they come from, all of them on all of the routes. Empty: it never matches."""

    callers: Mapping[Origin, list[Selector]]
    routes: tuple[Route, ...]
    server_names: tuple[str, ...]


def carried_rule(
    policy: AuthorizationPolicy, rule: Rule, hosts: tuple[str, ...], port: int | None, identities: Identities
) -> tuple[Carried, tuple[Problem, ...]]:
    """What `rule` means for `hosts`. With problems it must not decide anything."""
    problems = Problems()
    meaning = meaning_of_conditions(rule.conditions, port, problems)
    callers: dict[Origin, list[Selector]] = {}
    for source in rule.sources or ({},):
        _check_source(source, problems)
        origin = _origin(source, meaning, problems)
        found = _selectors(policy, source, meaning, identities, problems)
        if origin is not None and found:
            known = callers.setdefault(origin, [])
            known += [selector for selector in found if selector not in known]
    routes = [
        replace(route, headers=meaning.headers)
        for operation in rule.operations or ({},)
        if (route := route_from_operation(operation, hosts, port, problems)) is not None
    ]
    if not meaning.is_possible or not callers:
        routes = []
    found_problems = tuple(sorted((*rule.problems, *problems.sorted())))
    return Carried(callers if routes else {}, tuple(routes), meaning.server_names), found_problems


def _check_source(source: Fields, problems: Problems) -> None:
    for name, texts in source.items():
        positive = _positive(name)
        if positive in UNSUPPORTED and texts:
            message = f"{quoted(name)} has no counterpart in peergate"
            problems.add(texts[0].at, ImportCode.UNSUPPORTED, message, UNSUPPORTED[positive])
        elif positive == "serviceAccounts" and texts and {"principals", "namespaces"} & set(map(_positive, source)):
            message = f"{quoted(name)} cannot stand beside principals or namespaces"
            problems.add(texts[0].at, ImportCode.INVALID, message, "keep one of them")


def _positive(name: str) -> str:
    return f"{name[3].lower()}{name[4:]}" if name.startswith("not") else name


def _origin(source: Fields, meaning: Meaning, problems: Problems) -> Origin | None:
    """The networks, None if no address is meant."""
    inside: list[Network] | None = None
    for texts in (source.get("ipBlocks", ()), *meaning.networks):
        if texts:
            networks = networks_from_texts(texts, problems)
            inside = networks if inside is None else common_networks(inside, networks)
    outside: list[Network] = []
    for texts in (source.get("notIpBlocks", ()), *meaning.not_networks):
        outside += networks_from_texts(texts, problems)
    if inside == []:
        return None
    return None if inside is None else tuple(inside), tuple(dict.fromkeys(outside))


def _selectors(
    policy: AuthorizationPolicy, source: Fields, meaning: Meaning, identities: Identities, problems: Problems
) -> list[Selector]:
    def accounts(texts: Texts, problems: Problems) -> tuple[str, ...]:
        return identities.of_service_accounts(policy.namespace, texts, problems)

    readers: tuple[_Reader, ...] = (
        ("principals", "notPrincipals", meaning.principals, meaning.not_principals, identities.of_principals),
        ("namespaces", "notNamespaces", meaning.namespaces, meaning.not_namespaces, identities.of_namespaces),
        ("serviceAccounts", "notServiceAccounts", [], [], accounts),
    )
    groups: list[tuple[str, ...]] = []
    excluded: list[str] = []
    for name, not_name, wanted, unwanted, read in readers:
        groups += [read(texts, problems) for texts in (source.get(name, ()), *wanted) if texts]
        for texts in (source.get(not_name, ()), *unwanted):
            excluded += read(texts, problems)
    if not all(groups):
        return []
    return selectors(groups, tuple(dict.fromkeys(excluded)), denied=policy.action == "DENY")
